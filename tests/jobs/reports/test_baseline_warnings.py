"""A loss to a baseline is told at the top of the report and under the closing table."""

from pathlib import Path

from jobs.labels.findings import Findings
from jobs.nightly import closing_warnings
from jobs.platform.report import JobReport
from jobs.reports.evaluation_report import write_evaluation_section
from jobs.reports.markdown import write_section
from model.baselines.verdict import Comparison

METRIC = "engagement_ndcg@10_combined"


def _findings(low: float, high: float) -> Findings:
    lost = Comparison(
        "engagement_baseline", "engagement_only", "lightgbm", METRIC, -0.05, low, high, 300
    )
    return Findings(
        rows=[
            {
                "ranker": "engagement_only",
                "metric": METRIC,
                "region": "all",
                "value": 0.4,
                "low": 0.3,
                "high": 0.5,
                "simulated": True,
            }
        ],
        facts={"simulated_engagement": True},
        simulated_grades={"human": False},
        examination=[1.0],
        left_out={},
        k=10,
        confidence=0.95,
        comparisons=(lost,),
    )


def test_a_clear_loss_leads_the_report(tmp_path: Path) -> None:
    write_section(tmp_path, "10-labels", "## Labels")
    report = write_evaluation_section(tmp_path, _findings(-0.07, -0.03))
    first = report.read_text().lstrip().splitlines()[0]
    assert first.startswith("WARNING: engagement_only is below the baseline lightgbm")
    assert "simulated: -0.0500 [-0.0700, -0.0300] over 300 queries" in first


def test_a_loss_within_the_noise_is_no_warning_and_an_old_one_goes(tmp_path: Path) -> None:
    write_evaluation_section(tmp_path, _findings(-0.07, -0.03))
    report = write_evaluation_section(tmp_path, _findings(-0.11, 0.01))
    assert "WARNING" not in report.read_text()


def test_warnings_name_their_step() -> None:
    report = JobReport("evaluate", "2026-03-01", "0", warnings=["behind"], skipped=True)
    assert closing_warnings([JobReport("train", "2026-03-01", "0"), report]) == ["evaluate: behind"]
