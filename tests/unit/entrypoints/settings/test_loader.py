import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.settings.loader import Sources, leaves, load, variables_of
from ganglion.entrypoints.settings.tree import Settings


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    rate_max: float = 2.0
    names: tuple[str, ...] = ("a",)


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    port: int = 1
    dry: bool = False
    word: str = ""
    inner: Inner = Inner()
    tables: dict[str, Inner] = {}


def refusal_of(sources: Sources) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(Tree, sources)
    return refused.value.message


def test_without_sources_every_setting_has_its_default() -> None:
    assert load(Tree, Sources()) == Tree()


def test_an_option_wins_over_a_variable_and_a_variable_over_the_file() -> None:
    document = {"port": 2, "word": "file", "inner": {"rate_max": 3}}
    environment = {"GANGLION_PORT": "4", "GANGLION_WORD": "variable"}

    tree = load(Tree, Sources(document, environment, {"port": 5, "dry": None}))

    assert tree == Tree(port=5, word="variable", inner=Inner(rate_max=3.0))


def test_a_nested_setting_has_one_variable_whatever_underscores_its_name_has() -> None:
    assert load(Tree, Sources(environment={"GANGLION_INNER_RATE_MAX": "0.5"})).inner.rate_max == 0.5


def test_a_variable_holds_several_values_with_commas() -> None:
    assert load(Tree, Sources(environment={"GANGLION_INNER_NAMES": "x, y,"})).inner.names == ("x", "y")


def test_a_table_with_free_keys_is_read_from_a_file_and_as_json_from_a_variable() -> None:
    document = {"tables": {"gate": {"rate_max": 3}}}
    environment = {"GANGLION_TABLES": '{"*": {"names": ["x"]}}'}

    assert load(Tree, Sources(document)).tables == {"gate": Inner(rate_max=3.0)}
    assert load(Tree, Sources(environment=environment)).tables == {"*": Inner(names=("x",))}


@pytest.mark.parametrize("text", ["gate=3", '{"gate": 3}', "[]", ""])
def test_a_variable_that_is_no_table_is_a_problem_like_any_other(text: str) -> None:
    assert "GANGLION_TABLES" in refusal_of(Sources(environment={"GANGLION_TABLES": text}))


def test_every_problem_is_in_one_message() -> None:
    document = {"port": "2", "inner": {"rate_max": -1}}
    environment = {"GANGLION_DRY": "perhaps"}

    message = refusal_of(Sources(document, environment, {"word": 3}, document_name="my.toml"))

    assert message.startswith("4 settings are wrong:")
    for part in ("port in my.toml", "inner.rate_max in my.toml", "GANGLION_DRY", "word on the command line"):
        assert part in message


@pytest.mark.parametrize(
    ("sources", "hint"),
    [
        (Sources({"prt": 1}), "did you mean port?"),
        (Sources({"inner": {"rate_mx": 1}}), "did you mean inner.rate_max?"),
        (Sources(environment={"GANGLION_PROT": "1"}), "did you mean GANGLION_PORT?"),
        (Sources(overrides={"wrod": "x"}), "did you mean word?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(sources: Sources, hint: str) -> None:
    assert hint in refusal_of(sources)


def test_other_programs_variables_are_left_alone() -> None:
    assert load(Tree, Sources(environment={"PATH": "/bin", "GANGLIONS": "many"})) == Tree()


@pytest.mark.parametrize("text", ["nan", "inf", "-1"])
def test_a_limit_is_a_finite_number_that_is_not_negative(text: str) -> None:
    assert "finite" in refusal_of(Sources(environment={"GANGLION_INNER_RATE_MAX": text}))


def test_a_wrong_value_is_never_printed_because_it_may_be_a_secret() -> None:
    assert "hunter2" not in refusal_of(Sources({"port": "hunter2"}, {"GANGLION_DRY": "hunter2"}))


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [leaf.variable for leaf in leaves(Settings)]

    assert len(variables) == len(set(variables))
    assert {"GANGLION_HUB_PORT", "GANGLION_NODE_SERVING_PORT", "GANGLION_CLIENT_TOKEN"} <= set(variables)


words = st.text(st.characters(codec="utf-8", exclude_characters=",\0"), min_size=1).filter(
    lambda text: text == text.strip()
)


@given(
    st.builds(
        Tree,
        port=st.integers(0, 2**53),
        dry=st.booleans(),
        word=words,
        inner=st.builds(
            Inner, rate_max=st.floats(0, allow_infinity=False), names=st.lists(words, max_size=3).map(tuple)
        ),
        tables=st.dictionaries(words, st.builds(Inner, rate_max=st.floats(0, allow_infinity=False)), max_size=3),
    )
)
def test_a_tree_survives_the_way_through_variables(tree: Tree) -> None:
    assert load(Tree, Sources(environment=variables_of(tree))) == tree
