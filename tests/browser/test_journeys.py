"""One way through the console for each kind of people, on the running park."""

import re

import httpx
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def standing(demo, source, place):
    """Return the alarm of one cause, None where it does not stand."""
    alarms = demo.ask("alarms")["items"]
    return next((a for a in alarms if (a["source"], a["place"]) == (source, place)), None)


def test_an_operator_sees_an_alarm_understands_the_plan_and_takes_over(demo, look):
    page, witness = look(demo.address)
    demo.type_in("unplug pv_hotel")
    lost = demo.wait_for(lambda: standing(demo, "device", "pv_hotel"), "alarm of pv_hotel")
    alarm = page.locator(f"#alarm-{lost['id']}")
    expect(alarm.locator("b")).to_have_text("pv_hotel")
    with page.expect_response(f"**/console/alarms/{lost['id']}/acknowledge") as answer:
        alarm.get_by_role("button", name="Seen").click()
    assert answer.value.ok
    expect(alarm).to_have_class(re.compile("^acknowledged"))

    page.get_by_role("link", name="Schedule", exact=True).click()
    expect(page.locator("#plan")).to_contain_text("plan-")
    plan = page.locator("#plan small").inner_text()
    expect(page.locator("#plan small")).not_to_have_text(plan, timeout=180_000)
    expect(page.locator("#network-check")).to_be_visible()
    with page.expect_response(lambda r: "/console/why" in r.url):
        page.locator("#why-card select[name=asset]").select_option("battery")
    expect(page.locator("#why .note")).to_contain_text("one more kWh costs")

    page.locator("#by-hand summary").click()
    page.locator("#takeover select[name=asset]").select_option("battery")
    page.locator("#takeover [name=kw]").fill("99999")
    page.get_by_role("button", name="Take over now").click()
    expect(page.locator("#takeover .answer")).to_contain_text("The unit takes")
    page.locator("#takeover [name=kw]").fill("123")
    page.get_by_role("button", name="Take over now").click()
    applied = page.locator("#book li.applied").first
    expect(applied).to_contain_text("battery 123")
    done = page.locator("#journal-list tbody tr", has_text="Battery").filter(has_text="123.0").first
    expect(done).to_contain_text("applied")
    expect(done).to_contain_text("schedule")
    applied.get_by_role("button", name="Stop").click()
    page.locator("#sure").get_by_role("button", name="Yes").click()
    expect(page.locator("#book li.cancelled").first).to_contain_text("battery 123")
    assert standing(demo, "device", "pv_hotel")["state"] == "acknowledged"  # seen once is seen, as long as it is away
    demo.type_in("plug pv_hotel")
    demo.wait_for(lambda: standing(demo, "device", "pv_hotel") is None or None, "end of the alarm of pv_hotel")
    assert witness.complaints == []


def test_a_planner_changes_a_case_runs_it_and_reads_the_comparison(demo, look):
    page, witness = look(demo.address + "scenarios/battery_1mwh")
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("can be run")
    page.locator("[data-field=asset]").fill("batery")
    expect(verdict).to_contain_text("batery")
    expect(page.locator("#run")).to_be_disabled()
    page.locator("[data-field=asset]").fill("battery")
    expect(verdict).to_contain_text("can be run")
    page.locator("#kind").select_option("load_growth")
    page.locator("#add").click()
    expect(verdict).to_contain_text("factor")
    page.locator("[data-field=factor]").fill("1.2")
    expect(verdict).to_contain_text("can be run")
    page.locator("[name=days]").fill("0.125")
    with page.expect_navigation(url=re.compile("/studies/")):
        page.locator("#run").click()
    expect(page.locator("#state")).to_have_text("done", timeout=480_000)
    expect(page.locator("#comparison tbody tr").first).to_be_visible()
    expect(page.locator("#figure-change canvas")).to_be_visible()
    expect(page.locator("#figure-duration canvas")).to_be_visible()
    report = page.get_by_role("link", name="Report PDF").get_attribute("href")
    assert httpx.get(demo.address[:-1] + report, timeout=60).content[:4] == b"%PDF"
    assert witness.complaints == []


def test_a_study_is_cancelled_from_its_page(demo, look):
    page, _ = look(demo.address + "scenarios")
    held = []
    page.route("**/static/deeds.js", lambda route: held.append(route), times=1)
    with page.expect_request("**/static/deeds.js"):
        page.locator("#case-unlucky_day").get_by_role("button", name="Run").click()
    expect(page).to_have_url(re.compile("/studies/"))
    page.get_by_role("button", name="Cancel").click()  # somebody is quicker than the script that obeys the button
    held[0].continue_()
    expect(page.locator("#state")).to_have_text("cancelled")


def test_an_admin_lets_somebody_in_and_tries_a_device(demo, look):
    page, witness = look(demo.address + "admin")
    users = page.locator("#users")
    users.locator("summary", has_text="New").click()
    users.get_by_label("name *").fill("short")
    users.get_by_label("password *").fill("short")
    users.get_by_label("planner").check()
    users.get_by_role("button", name="New").click()
    expect(users.locator(".answer.wrong")).to_contain_text("password")
    users.get_by_label("name *").fill("pia")
    users.get_by_label("password *").fill("four quiet words here")
    users.get_by_role("button", name="New").click()
    expect(users.locator("tbody tr", has_text="pia")).to_contain_text("planner")
    audit = page.locator("#audit")
    audit.scroll_into_view_if_needed()
    expect(audit.locator("tbody tr", has_text="user.").first).to_be_visible()

    page.goto(demo.address + "devices")
    page.locator("#shipped").select_option("sunspec_battery")
    map_text = page.locator("#trial [name=text]")
    expect(map_text).to_have_value(re.compile("points"))
    page.locator("#trial [name=port]").fill("1")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial .answer.wrong")).to_be_visible()
    map_text.fill("nothing: here")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial .answer.wrong li").first).to_be_visible()
    assert [c for c in witness.complaints if "422" not in c and "409" not in c] == []


def test_somebody_in_the_field_writes_a_note_that_stays(demo, look):
    page, witness = look(demo.address + "field", width=390, height=844)
    page.get_by_label("What somebody should know").fill("Fan of chiller 1 sounds rough")
    page.get_by_role("button", name="Write it down").click()
    expect(page.locator("#notes")).to_contain_text("Fan of chiller 1 sounds rough")
    page.reload()
    expect(page.locator("#notes")).to_contain_text("local")
    assert witness.complaints == []


def test_sales_writes_down_a_customer_and_a_lead(demo, look):
    page, witness = look(demo.address + "customers")
    expect(page.locator("#target-list tbody tr").first).to_be_visible()
    parties = page.locator("#parties")
    parties.scroll_into_view_if_needed()
    parties.locator("summary", has_text="New").click()
    parties.get_by_label("name *").first.fill("Quiet Mill")
    parties.get_by_label("customer", exact=True).check()
    with page.expect_response(lambda r: r.url.endswith("/api/v1/parties") and r.request.method == "POST") as answer:
        parties.get_by_role("button", name="New").click()
    assert answer.value.status == 201, answer.value.text()
    expect(parties.locator("tbody tr", has_text="Quiet Mill")).to_be_visible()
    page.get_by_role("link", name="Hotel", exact=True).click()
    expect(page.locator("#figure-year canvas").first).to_be_visible()
    assert witness.complaints == []
