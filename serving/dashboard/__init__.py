"""The dashboard: one overview of the present beside the same part of the past, and the page that shows it."""
