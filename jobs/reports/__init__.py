"""What a night reports: yardsticks, baselines, pages of report.md."""
