"""What every route asks of whoever comes in, written down by hand beside the routes: a route that asks for less, or is new, fails until somebody has looked."""

from service.auth.roles import Deed

_BY_DEEDS = {
    (Deed.BE,): """
        DELETE /api/v1/session
        GET /api/v1/session
        POST /api/v1/session/totp
        PUT /api/v1/session/totp
    """,
    (Deed.DRAFT,): """
        POST /console/notes
    """,
    (Deed.DRAFT, Deed.SEE): """
        DELETE /api/v1/documents/{kind}/{document}
        PUT /api/v1/documents/{kind}/{document}
        POST /api/v1/schedules
    """,
    (Deed.FEED,): """
        POST /api/v1/telemetry
    """,
    (Deed.MANAGE,): """
        GET /admin
        GET /api/v1/audit
        GET /api/v1/keys
        POST /api/v1/keys
        DELETE /api/v1/keys/{key_id}
        GET /api/v1/tenant
        PATCH /api/v1/tenant
        GET /api/v1/users
        POST /api/v1/users
        GET /api/v1/users/{user_id}
        PATCH /api/v1/users/{user_id}
        POST /console/devices/try
    """,
    (Deed.MANAGE, Deed.SEE): """
        DELETE /api/v1/devices/{device}
        PUT /api/v1/devices/{device}
    """,
    (Deed.OPERATE,): """
        POST /console/alarms/{alarm_id}/{act}
        POST /console/commands/{command_id}/confirm
    """,
    (Deed.OPERATE, Deed.SEE): """
        POST /api/v1/alarms/{alarm_id}/acknowledge
        POST /api/v1/alarms/{alarm_id}/shelve
        POST /api/v1/alarms/{alarm_id}/unshelve
        POST /api/v1/commands/{command_id}/confirm
        POST /api/v1/schedules/{schedule_id}/apply
        POST /api/v1/schedules/{schedule_id}/approve
        POST /api/v1/schedules/{schedule_id}/cancel
    """,
    (Deed.SEE,): """
        GET /
        GET /api/v1/accounts
        GET /api/v1/accounts/check
        GET /api/v1/accounts/transactions
        GET /api/v1/alarms
        GET /api/v1/assets
        GET /api/v1/assets/{asset_id}
        GET /api/v1/auctions
        GET /api/v1/auctions/{auction_id}
        GET /api/v1/billing-runs
        GET /api/v1/billing-runs/{billing_run_id}
        GET /api/v1/bills
        GET /api/v1/bills/{bill_id}
        GET /api/v1/bills/{bill_id}/pdf
        GET /api/v1/books
        GET /api/v1/books/{book_id}
        GET /api/v1/certificates
        GET /api/v1/certificates/acts
        GET /api/v1/certificates/check
        GET /api/v1/commands/waiting
        GET /api/v1/contracts
        GET /api/v1/contracts/{contract_id}
        GET /api/v1/contracts/{contract_id}/settlements
        GET /api/v1/crm
        GET /api/v1/devices
        GET /api/v1/devices/{device}
        GET /api/v1/docs
        GET /api/v1/documents
        GET /api/v1/documents/{kind}/{document}
        GET /api/v1/events
        GET /api/v1/flows
        GET /api/v1/forecasts/latest
        GET /api/v1/health
        GET /api/v1/invoices
        GET /api/v1/invoices/{invoice_id}
        GET /api/v1/key-figures
        GET /api/v1/kpis
        GET /api/v1/leads
        GET /api/v1/leads/{lead_id}
        GET /api/v1/leads/{lead_id}/conversations
        GET /api/v1/leads/{lead_id}/moves
        GET /api/v1/metrics
        GET /api/v1/orders
        GET /api/v1/orders/{order_id}
        GET /api/v1/module-offers
        GET /api/v1/module-offers/{module_offer_id}
        GET /api/v1/parties
        GET /api/v1/parties/{party_id}
        GET /api/v1/parties/{party_id}/intervals
        GET /api/v1/parties/{party_id}/readings
        GET /api/v1/partner-agreements
        GET /api/v1/partner-agreements/{agreement_id}
        GET /api/v1/plans
        GET /api/v1/plans/latest
        GET /api/v1/plans/{plan_id}
        GET /api/v1/positions
        GET /api/v1/premises
        GET /api/v1/premises/{premises_id}
        GET /api/v1/projects
        GET /api/v1/projects/{project_id}
        GET /api/v1/proposals
        GET /api/v1/proposals/{proposal_id}
        GET /api/v1/receipts
        GET /api/v1/schedules
        GET /api/v1/schedules/{schedule_id}
        GET /api/v1/service-cases
        GET /api/v1/service-cases/{service_case_id}
        GET /api/v1/settlement-runs
        GET /api/v1/settlement-runs/{settlement_run_id}
        GET /api/v1/sites
        GET /api/v1/sites/{name}
        GET /api/v1/snapshot
        GET /api/v1/snapshots
        GET /api/v1/tariffs
        GET /api/v1/tariffs/{tariff_id}
        GET /api/v1/telemetry/means
        GET /api/v1/telemetry/points/{tag}
        GET /api/v1/telemetry/tags
        GET /api/v1/timeline
        GET /api/v1/timeline/{asset}
        GET /api/v1/trace/{thing_id}
        GET /api/v1/work-orders
        GET /api/v1/work-orders/{work_order_id}
        GET /console/charts/{chart}
        GET /console/marks/{name}
        GET /console/{name}
        GET /devices
        GET /field
        GET /networks
        GET /schedule
        GET /trace/{thing_id}
        GET /wall
    """,
    (Deed.SEE, Deed.SELL): """
        POST /api/v1/assets
        PUT /api/v1/assets/{asset_id}
        POST /api/v1/contracts
        PUT /api/v1/contracts/{contract_id}
        POST /api/v1/contracts/{contract_id}/end
        POST /api/v1/contracts/{contract_id}/settlements
        POST /api/v1/parties/{party_id}/edits
        POST /api/v1/contracts/{contract_id}/signatures
        POST /api/v1/leads
        PUT /api/v1/leads/{lead_id}
        POST /api/v1/leads/{lead_id}/conversations
        POST /api/v1/leads/{lead_id}/moves
        POST /api/v1/matchings/{matching_id}/leads
        POST /api/v1/module-offers
        PUT /api/v1/module-offers/{module_offer_id}
        POST /api/v1/parties
        PUT /api/v1/parties/{party_id}
        PUT /api/v1/parties/{party_id}/intervals
        POST /api/v1/partner-agreements
        PUT /api/v1/partner-agreements/{agreement_id}
        POST /api/v1/premises
        PUT /api/v1/premises/{premises_id}
        POST /api/v1/projects
        PUT /api/v1/projects/{project_id}
        POST /api/v1/proposals
        POST /api/v1/proposals/{proposal_id}/answer
    """,
    (Deed.SEE, Deed.SERVE): """
        POST /api/v1/service-cases
        PUT /api/v1/service-cases/{service_case_id}
        POST /api/v1/work-orders
        PUT /api/v1/work-orders/{work_order_id}
    """,
    (Deed.SEE, Deed.STUDY): """
        POST /api/v1/bills:simulate
        POST /api/v1/matchings
        POST /api/v1/parties/{party_id}/efficiency:assess
        POST /api/v1/parties/{party_id}/packages:design
        POST /api/v1/parties/{party_id}/portraits:draw
        POST /api/v1/recommendations
        POST /api/v1/segmentations
    """,
    (Deed.SEE, Deed.TRADE): """
        POST /api/v1/auctions
        POST /api/v1/auctions/{auction_id}/clear
        POST /api/v1/billing-runs
        POST /api/v1/billing-runs:issue
        POST /api/v1/billing-runs:prepare
        POST /api/v1/meter-deliveries
        POST /api/v1/books
        POST /api/v1/books/{book_id}/events
        POST /api/v1/certificates
        POST /api/v1/certificates/retire
        POST /api/v1/certificates/transfer
        POST /api/v1/contracts-of-energy
        POST /api/v1/invoices
        POST /api/v1/invoices/{invoice_id}/write-off
        POST /api/v1/orders
        DELETE /api/v1/orders/{order_id}
        POST /api/v1/payments
        POST /api/v1/settlement-runs
        POST /api/v1/tariffs
        PUT /api/v1/tariffs/{tariff_id}
    """,
    (Deed.SERVE,): """
        GET /console/customers/{customer}/{chart}
        GET /customers
        GET /customers/parties/{party_id}
        GET /customers/{customer}
    """,
    (Deed.STUDY,): """
        GET /api/v1/comparison
        GET /api/v1/jobs
        POST /api/v1/jobs
        DELETE /api/v1/jobs/{job_id}
        GET /api/v1/jobs/{job_id}
        GET /api/v1/jobs/{job_id}/events
        GET /api/v1/jobs/{job_id}/report
        GET /api/v1/jobs/{job_id}/result
        POST /api/v1/offers:build
        GET /api/v1/scenarios
        GET /api/v1/scenarios/{scenario}
        GET /api/v1/studies
        POST /console/check/case
        GET /console/studies/{job_id}/charts/{chart}
        GET /console/studies/charts/{chart}
        GET /scenarios
        GET /scenarios/{case}
        GET /studies
        GET /studies/{job_id}
    """,
    (Deed.TRADE,): """
        GET /console/positions
        GET /trading
    """,
}
EXPECTED = {route.strip(): set(deeds) for deeds, routes in _BY_DEEDS.items() for route in routes.strip().splitlines()}
"""Deeds that a role must all have, by method and path."""
