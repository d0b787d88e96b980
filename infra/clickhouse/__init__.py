"""ClickHouse without a server: one process owns the engine (chDB) and speaks ClickHouse's HTTP interface."""
