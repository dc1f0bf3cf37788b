"""Words of the planner's cases: the shipped ones in Chinese, and kinds of changes with their fields in both languages."""

from collections.abc import Mapping

CASES: Mapping[str, tuple[str, str]] = {
    # shipped case: (title, question) in Chinese
    "battery_1mwh": ("1 MWh 电池", "园区只用三分之一的电池容量和一半的功率:储能研究的起点。"),
    "battery_4mwh": ("电池由 1 MWh 增至 4 MWh", "电池容量增至四倍(不计投资):能削减多少高峰需量和高价时段购电?"),
    "carbon_cap": ("日碳排放上限", "春季一天排放不超过 24 t CO₂。燃机与购电谁先让步,最后一吨的边际价值是多少?"),
    "chiller_failure": (
        "炎热午后冷机故障",
        "七月某日上午十点起冷机 1 停运六小时,由蓄冷、冷机 2 与吸收式制冷供冷:是否有用户受影响?",
    ),
    "chp_outage": ("冬日一台燃机检修", "燃机 1 全天检修且已提前告知,由锅炉供热、电网供电:这一天燃机价值几何?"),
    "cooler_heat_network": (
        "热网降温 10 K",
        "供水由 85 °C 降至 75 °C,回水不变。热泵受益、散热减少,但流量增大:末端压力是否足够?",
    ),
    "demand_response": (
        "需求响应",
        "冬日早晨七至九点电网要求购电不超过 2 MW,而园区需要 5 MW。事前充电、事中放电并启动燃机、事后恢复:成本多少,补偿应为多少?",
    ),
    "ev_plus_30": ("电动车增加三成", "办公区与酒店车辆增加 30 %。充电可以等待,高峰会受多大影响?"),
    "feeder_congestion": (
        "同一馈线上的用户",
        (
            "金属厂、其周末班和办公区位于同一馈线末端,负荷增加两成,另有两处屋顶光伏。"
            "不考虑网络时负载率超过 110 %:能否找到网络可接受的计划,代价多少?"
        ),
    ),
    "gas_price_shock": (
        "气价翻倍",
        "气价一夜翻倍:哪些机组让步,燃机在高价时段是否仍有收益,热泵是否多运行,账单如何变化?",
    ),
    "heat_wave": ("七月热浪", "比典型七月日高 4 K,冷负荷增加四分之一:冷机与蓄冷能否满足,尖峰电价影响多大?"),
    "islanded_2h": ("孤岛两小时", "一月傍晚并网中断两小时(已预告),由燃机与电池承担:有多少电量无法供应?"),
    "pv_10mwp": ("光伏由 4 MWp 增至 10 MWp", "所有屋顶与停车场装满光伏:自用多少,四月中午剩余多少,电网能否承受?"),
    "pv_4mwp": ("4 MWp 光伏", "扩建前的屋顶:现有组件的三分之二,光伏研究的起点。"),
    "tariff_switch": ("分时电价改为单一电价", "按当前均价的单一电价,需量电费不变:谁得谁失,电池是否还会动作?"),
    "unlucky_day": (
        "机组故障与预测偏差",
        "机组随时可能故障,平均停运一个半小时;负荷与天气预测误差 15 %:坏运气在夏日代价几何?",
    ),
    "what_to_build": (
        "园区应建什么",
        (
            "屋顶光伏、第二组电池、更大的蓄热罐与另一台燃机可选:二十年内哪些划算,节省多少,还有哪些接近的方案,"
            "每减一吨 CO₂ 成本多少?气价更高时结果如何?"
        ),
    ),
    "winter_peak": (
        "最冷工作日再增一成",
        "一月最冷的工作日,热负荷比典型年高一成:寒潮的成本与排放是多少,网络距限值多近?",
    ),
}
PARAMETERS: Mapping[str, str] = {
    # title of a shipped case's parameter: the same in Chinese
    "Battery capacity": "电池容量",
    "Battery power": "电池功率",
    "CO2 allowed a day": "日允许碳排放",
    "Supply temperature against today's": "供水温度变化",
    "Import during the event": "事件期间购电上限",
    "Vehicles against today's": "车辆数(相对现状)",
    "Electric loads against today's": "电负荷(相对现状)",
    "Gas price against today's": "气价(相对现状)",
    "Cold demand against the typical day": "冷负荷(相对典型日)",
    "Length of the island": "孤岛时长",
    "Panels against today's 6 MWp": "光伏(相对现有 6 MWp)",
}
KINDS: Mapping[str, tuple[str, str, str]] = {
    # kind of change: (title, title in Chinese, what it does in Chinese)
    "add_asset": ("New asset", "新增设备", "建设新设备。"),
    "arrivals": ("Irregular arrivals", "车辆到达", "车辆到达的不规律程度:围绕各自时刻的标准差。"),
    "co2_cap": ("Cap on CO2", "碳排放上限", "每天最多允许的排放;超出代价很高并会报告。"),
    "co2_price": ("Price of CO2", "碳价", "每千克 CO₂ 的价格,计入计划与运行成本。"),
    "control_rule": ("Who operates", "运行方式", "由优化器、通用规则或按前一周整定的规则运行。"),
    "demand_response": ("Demand response", "需求响应", "事件期间购电不得超过限值,优化器会提前准备。"),
    "ev_uptake": ("More vehicles", "电动车数量", "指定或全部车队的车辆增减,数量向上取整。"),
    "forecast_error": ("Forecast error", "预测误差", "随提前时间增大的相对误差。"),
    "load_growth": ("Load growth", "负荷增长", "全部或指定用户、全部或某种能源的需求增减。"),
    "move_asset": ("Move an asset", "改接设备", "将设备接至其他节点;用户按能源种类分别改接。"),
    "network_temperature": ("Network temperature", "管网温度", "供水(及回水)温度升降若干 K,热泵随之变化。"),
    "new_customer": ("New customer", "新增用户", "接入一个用户及其负荷。"),
    "outage": ("Outage", "停运", "设备自开始后若干小时起停运,优化器已知;并网点停运即为孤岛。"),
    "price_change": ("Other prices", "价格变化", "合同价格按系数变化,时段不变。"),
    "random_failures": ("Random failures", "随机故障", "机组随机故障并修复,事先无人知晓。"),
    "reinforce": ("Reinforce the grid", "网络加强", "线路增加回路或增设变压器。"),
    "remove_asset": ("Remove an asset", "拆除设备", "拆除设备及其表计;用户随其负荷移除。"),
    "resize": ("Other size", "改变容量", "修改设备参数:直接设定或按倍数。"),
    "tariff_switch": ("Other tariff", "更换电价", "电力合同改用另一种电价。"),
    "weather": ("Other weather", "天气变化", "名称匹配的序列乘以系数再加偏移。"),
    "weather_year": ("Other year", "更换气象年", "改用另一年的序列文件。"),
    "work_order": ("Work on an asset", "检修工单", "班组依次作业,设备停运若干小时。"),
}
FIELDS: Mapping[str, tuple[str, str]] = {
    "asset": ("Asset", "设备"),
    "assets": ("Assets", "设备"),
    "baseline_kw": ("Baseline, kW", "基线 kW"),
    "carrier": ("Carrier", "能源"),
    "consumer": ("Consumer", "用户负荷"),
    "consumers": ("Consumers", "用户负荷"),
    "contract": ("Contract", "合同"),
    "control": ("Operated by", "运行方式"),
    "crew": ("Crew", "班组"),
    "customer": ("Customer", "用户"),
    "demand_factor": ("Demand charge, times", "需量电费倍数"),
    "element": ("Line or transformer", "线路或变压器"),
    "energy_factor": ("Energy price, times", "电量电价倍数"),
    "export_factor": ("Export price, times", "上网电价倍数"),
    "factor": ("Times", "倍数"),
    "fleets": ("Fleets", "车队"),
    "from_h": ("From, h after the start", "起始(开始后小时)"),
    "grid": ("Grid connection", "并网点"),
    "hours": ("For, h", "时长(小时)"),
    "import_max_kw": ("Import at most, kW", "购电上限 kW"),
    "kg_per_day": ("A day at most, kg", "每日上限 kg"),
    "mean_repair_h": ("Mean repair, h", "平均修复(小时)"),
    "mean_up_h": ("Mean time running, h", "平均运行(小时)"),
    "memory_h": ("Forgotten within, h", "误差记忆(小时)"),
    "network": ("Network", "管网"),
    "nodes": ("Nodes", "节点"),
    "offset": ("Plus", "偏移"),
    "parallel": ("In parallel", "并联数"),
    "penalty_per_kwh": ("Penalty per kWh", "每 kWh 罚金"),
    "price_per_kg": ("Price per kg", "每 kg 价格"),
    "price_per_kwh": ("Price per kWh", "每 kWh 价格"),
    "profiles": ("Profiles", "序列文件"),
    "return_k": ("Return, K", "回水变化 K"),
    "series": ("Series", "序列"),
    "share": ("Error, share", "误差比例"),
    "spread_h": ("Spread, h", "标准差(小时)"),
    "supply_k": ("Supply, K", "供水变化 K"),
    "tariff": ("Tariff", "电价"),
    "times": ("Times", "按倍数"),
    "to": ("Set to", "设为"),
}


def case_words(name: str, title: str, story: str, language: str) -> tuple[str, str]:
    """Return the title and the question of a case in a language; one that is not shipped speaks its own."""
    return CASES.get(name, (title, story)) if language == "zh" else (title, story)


def parameter_words(title: str, unit: str, language: str) -> str:
    """Return how a parameter is labelled: its title in a language, with its unit."""
    spoken = PARAMETERS.get(title, title) if language == "zh" else title
    return f"{spoken}, {unit}" if unit else spoken
