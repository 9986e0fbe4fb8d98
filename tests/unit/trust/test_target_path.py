import pytest

from ganglion.core.errors import InvalidName
from ganglion.core.ids import Digest, ModelName, Variant, Version
from ganglion.trust import target_path
from ganglion.trust.target_path import TargetPath
from ganglion.wire import paths

PATH = TargetPath(model=ModelName("digits"), version=Version("1.2"), variant=Variant("int8"))
DIGEST = Digest("ab" * 32)


def test_a_path_is_taken_apart_into_model_version_and_variant() -> None:
    assert target_path.parse("models/digits/1.2/int8.ganglion") == PATH


def test_the_wire_writes_paths_in_the_same_form() -> None:
    assert str(PATH) == paths.target_path("digits", "1.2", "int8")


def test_the_hashed_name_is_the_one_that_tuf_clients_ask_for() -> None:
    assert PATH.hashed(DIGEST) == f"models/digits/1.2/{DIGEST}.int8.ganglion"
    assert target_path.parse_hashed(PATH.hashed(DIGEST)) == (PATH, DIGEST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "models",
        "models/digits/1/..",
        "models/digits/../x.ganglion",
        "models/../../etc/x.ganglion",
        "models/digits/./x.ganglion",
        "models//1/x.ganglion",
        "models/digits/1/.ganglion",
        "models/digits/1/x.ganglion/",
        "/models/digits/1/x.ganglion",
        "models/digits/1/2/x.ganglion",
        "models/digits/1/x\0.ganglion",
        "models/digits/1/x\n.ganglion",
        "models\\digits\\1\\x.ganglion",
        "models/digits/1/..\\x.ganglion",
        "models/digits/%2e%2e/x.ganglion",
        "models/digits/1/%2e%2e.ganglion",
        "models/*/1/x.ganglion",
        "models/digits/1/x.onnx",
        "packages/digits/1/x.ganglion",
        f"models/{'m' * 65}/1/x.ganglion",
    ],
)
def test_a_path_of_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        target_path.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        f"models/digits/1/{DIGEST}",
        f"models/digits/1/{DIGEST}.",
        "models/digits/1/int8.ganglion",
        f"models/digits/1/{'AB' * 32}.int8.ganglion",
        f"models/digits/../{DIGEST}.int8.ganglion",
    ],
)
def test_a_hashed_name_of_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        target_path.parse_hashed(text)
