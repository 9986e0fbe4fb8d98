"""Which package suits a machine."""

import msgspec

from ganglion.hub.domain.nodes import variants
from ganglion.hub.domain.nodes.variants import VariantOffer
from ganglion.wire.identity import NodeFacts

FACTS = NodeFacts(arch="aarch64", runtime="onnxruntime", cores=4, memory_bytes=1, release="0.1.0")


def offer(variant: str, *, arch: str = "any", runtime: str = "onnxruntime", size_bytes: int = 100) -> VariantOffer:
    return VariantOffer(variant, arch, runtime, size_bytes)


def test_a_package_for_this_architecture_goes_before_one_for_any() -> None:
    offers = [offer("small", size_bytes=1), offer("native", arch="aarch64")]

    assert variants.choose(offers, FACTS) == "native"


def test_between_equals_the_smaller_one_wins() -> None:
    assert variants.choose([offer("fp32"), offer("int8", size_bytes=25)], FACTS) == "int8"


def test_another_architecture_or_runtime_does_not_fit() -> None:
    assert variants.choose([offer("x86", arch="x86_64"), offer("tpu", runtime="litert")], FACTS) is None


def test_a_node_with_several_runtimes_takes_a_variant_for_any_of_them() -> None:
    facts = msgspec.structs.replace(FACTS, runtimes=("onnxruntime", "litert"))

    assert variants.choose([offer("tpu", runtime="openvino"), offer("small", runtime="litert")], facts) == "small"


def test_a_node_of_the_first_release_names_its_one_runtime_only() -> None:
    assert FACTS.runtimes == ()
    assert variants.choose([offer("fp32"), offer("small", runtime="litert", size_bytes=1)], FACTS) == "fp32"


def test_the_choice_does_not_depend_on_the_order_of_the_offers() -> None:
    offers = [offer("b"), offer("a"), offer("c")]

    assert variants.choose(offers, FACTS) == variants.choose(reversed(offers), FACTS) == "a"
