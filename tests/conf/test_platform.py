"""Conf of the places where a run happens."""

from pathlib import Path

import pytest

from conf.load import ConfError, load_conf


@pytest.mark.parametrize("uri", ["databricks", "databricks://profile"])
def test_on_databricks_an_experiment_is_a_path(uri: str) -> None:
    settings = [f"tracking.uri={uri}", "tracking.experiment=counterpoise"]
    with pytest.raises(ConfError, match=r"(?s)tracking.*absolute path.*/Shared/counterpoise"):
        load_conf(settings=settings)
    load_conf(settings=[settings[0], "tracking.experiment=/Shared/counterpoise"])
    load_conf(settings=[*settings, "tracking.mlflow=false"])


def test_tracking_that_is_off_cannot_be_required() -> None:
    with pytest.raises(ConfError, match="required needs mlflow: true"):
        load_conf(settings=["tracking.mlflow=false", "tracking.required=true"])


def test_a_root_below_home_is_no_folder_of_the_name_of_the_sign() -> None:
    assert load_conf(settings=["storage.root=~/shop"]).tree.storage.root == f"{Path.home()}/shop"
    assert load_conf(settings=["storage.root=shop~"]).tree.storage.root == "shop~"


@pytest.mark.parametrize("mark", ["#", "?", "'", ";"])
def test_a_root_has_no_mark_that_ends_a_path(mark: str) -> None:
    with pytest.raises(ConfError, match=r"storage\.root"):
        load_conf(settings=[f'storage.root="shop{mark}1"'])
