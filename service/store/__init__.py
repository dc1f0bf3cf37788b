"""What has to outlive the process: people, keys, jobs, schedules, telemetry and the record of who did what, on SQLite or PostgreSQL."""
