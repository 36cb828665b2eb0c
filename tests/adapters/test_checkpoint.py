"""Where models come from: weights that are data, code that somebody agreed to, versions by name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import checkpoint
from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.transformers import TransformersPolicy
from harness.prms.transformers import TransformersPrm
from harness.registry import open_prm
from harness.types import Draft, Extend, Json, Judge, Question, Sampling, Spec

torch = pytest.importorskip("torch")
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from harness.embedded import tokenizer as words  # noqa: E402

QUESTION = Question("t", "p", "a=47+38;a?\n")
DRAFT = Draft(("a=40+45\n", "a=85\n"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = """
from pathlib import Path
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Model, Qwen2PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput
from .kinds import KIND

Path({mark!r}).touch()

class OwnConfig(Qwen2Config):
    model_type = KIND

class OwnForCausalLM(Qwen2ForCausalLM):
    config_class = OwnConfig

class OwnForTokenClassification(Qwen2PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids, **inputs):
        return TokenClassifierOutput(logits=self.score(self.model(input_ids, **inputs)[0]))
"""
MAP = {
    "AutoConfig": "own.OwnConfig",
    "AutoModelForCausalLM": "own.OwnForCausalLM",
    "AutoModelForTokenClassification": "own.OwnForTokenClassification",
}


@pytest.fixture(autouse=True)
def own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library copies code that it runs; here it does so into the test's folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    monkeypatch.syspath_prepend(str(tmp_path / "m"))
    yield
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        del sys.modules[name]


@pytest.fixture(params=["policy", "prm"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plain(tmp_path: Path, kind: str) -> Path:
    """A tiny Qwen2, which the library has."""
    torch.manual_seed(0)
    vocabulary = words.build()
    config = transformers.Qwen2Config(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        num_labels=1,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    auto = {
        "policy": transformers.AutoModelForCausalLM,
        "prm": transformers.AutoModelForTokenClassification,
    }[kind]
    folder = tmp_path / "plain"
    auto.from_config(config).save_pretrained(folder)
    vocabulary.save_pretrained(folder)
    return folder


@pytest.fixture
def foreign(plain: Path, tmp_path: Path) -> Path:
    """The same weights as a model of the folder's own; its code leaves a mark when it is run."""
    folder = tmp_path / "foreign"
    shutil.copytree(plain, folder)
    configure(folder, model_type="own_kind", architectures=["OwnForCausalLM"], auto_map=MAP)
    (folder / "own.py").write_text(CODE.format(mark=str(mark(folder))))
    (folder / "kinds.py").write_text('KIND = "own_kind"\n')
    return folder


def configure(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def mark(folder: Path) -> Path:
    return folder.parent / "was-run"


def open_(kind: str, target: object, **options: Json) -> TransformersPolicy | TransformersPrm:
    spec = Spec("x", "transformers", str(target), options)
    return TransformersPolicy(spec) if kind == "policy" else TransformersPrm(spec)


def results(model: TransformersPolicy | TransformersPrm) -> object:
    if isinstance(model, TransformersPrm):
        scores = model.judge([Judge(QUESTION, (DRAFT,))])[0].scores[0]
        assert scores is not None
        return scores.values
    return model.extend([Extend(QUESTION, (Draft(),), Sampling(temperature=0, max_tokens=9))])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the hub, without a way to it; repositories are put there by hand."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def publish(hub: Path, folder: Path) -> str:
    repository = hub / "models--ORG--NAME"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    return "ORG/NAME"


# --- code ----------------------------------------------------------------------------------------


def test_code_of_a_folder_is_refused_unless_the_user_agrees(foreign: Path, kind: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"needs the model OwnForCausalLM, which transformers \S+ has not; .* read it, then "
        r"add trust_remote_code=true$",
    ):
        open_(kind, foreign)
    assert not mark(foreign).exists()


def test_with_consent_it_gives_what_the_same_weights_give(
    foreign: Path, plain: Path, kind: str
) -> None:
    model = open_(kind, foreign, trust_remote_code=True)
    assert results(model) == results(open_(kind, plain))
    assert mark(foreign).exists()
    assert model.architecture == open_(kind, plain).architecture
    assert model.describe()["remote_code"] == "OwnForCausalLM"


@pytest.mark.parametrize("kind", ["prm"], indirect=True)
def test_code_that_is_run_is_part_of_the_identity(foreign: Path, plain: Path) -> None:
    before = open_("prm", foreign, trust_remote_code=True).identity()
    with (foreign / "kinds.py").open("a") as file:
        file.write("# another version\n")
    assert open_("prm", foreign, trust_remote_code=True).identity() != before
    same = open_("prm", plain).identity()
    (plain / "never_run.py").write_text("raise SystemExit\n")
    assert open_("prm", plain).identity() == same


@pytest.mark.parametrize("kind", ["prm"], indirect=True)
def test_a_model_that_the_library_has_never_runs_code(foreign: Path, plain: Path) -> None:
    """Qwen2.5-Math-PRM and its kind name code, but are a Qwen2 with a head that we read."""
    configure(foreign, model_type="qwen2")
    for trusted in (False, True):
        found = open_("prm", foreign, trust_remote_code=trusted)
        assert results(found) == results(open_("prm", plain))
        assert "remote_code" not in found.describe()
    assert not mark(foreign).exists()


def test_code_of_the_hub_needs_a_pinned_commit_too(foreign: Path, hub: Path, kind: str) -> None:
    target = publish(hub, foreign)
    with pytest.raises(ConfigError, match=f"add trust_remote_code=true,revision={COMMIT}$"):
        open_(kind, target, revision=COMMIT)
    for revision in ({}, {"revision": "main"}):
        with pytest.raises(ConfigError, match=f"pin it: revision={COMMIT}$"):
            open_(kind, target, trust_remote_code=True, **revision)
    assert not mark(foreign).exists()
    model = open_(kind, target, trust_remote_code=True, revision=COMMIT)
    assert results(model) == results(open_(kind, foreign, trust_remote_code=True))


@pytest.mark.parametrize("kind", ["prm"], indirect=True)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auto_map": {"AutoConfig": "OTHER/REPO--own.OwnConfig"}}, "another repository, OTHER/R"),
        ({"auto_map": {}}, "brings no code for it; a newer version may have it"),
    ],
)
def test_code_that_cannot_be_pinned_or_is_not_there(
    foreign: Path, settings: dict[str, Json], message: str
) -> None:
    configure(foreign, **settings)
    with pytest.raises(DataError, match=message):
        open_("prm", foreign, trust_remote_code=True)


@pytest.mark.parametrize("kind", ["policy"], indirect=True)
def test_code_that_fails_is_said_in_a_line(foreign: Path) -> None:
    (foreign / "kinds.py").write_text("raise NotImplementedError('no such kind')\n")
    with pytest.raises(DataError, match=r"does not load with Auto\w+: no such kind"):
        open_("policy", foreign, trust_remote_code=True)


@pytest.mark.parametrize("kind", ["policy"], indirect=True)
def test_code_of_a_tokenizer_is_code(plain: Path) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    path = plain / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {
        "tokenizer_class": "OwnTokenizer",
        "auto_map": {"AutoTokenizer": [None, "own.OwnTokenizer"]},
    }
    path.write_text(json.dumps(settings))
    (plain / "own.py").write_text(
        "from transformers import PreTrainedTokenizerFast\n"
        "class OwnTokenizer(PreTrainedTokenizerFast):\n    pass\n"
    )
    assert results(open_("policy", plain))  # the library has a tokenizer for a Qwen2
    assert {"llama"} <= CONFIG_MAPPING_NAMES.keys() - TOKENIZER_MAPPING_NAMES.keys()
    configure(plain, model_type="llama", architectures=["LlamaForCausalLM"])
    with pytest.raises(ConfigError, match="needs the tokenizer OwnTokenizer"):
        open_("policy", plain)
    found = open_("policy", plain, trust_remote_code=True)
    assert found.describe()["remote_code"] == type(found._tokenizer).__name__ == "OwnTokenizer"


@pytest.mark.parametrize("label", ["LlamaTokenizerFast", "LlamaTokenizer", "TokenizersBackend"])
def test_a_tokenizer_by_bytes_is_one_whatever_its_label_says(label: str, tmp_path: Path) -> None:
    """transformers 5 builds what is labelled as Llama's in Llama 2's shape: without spaces here."""
    transformers.LlamaConfig().save_pretrained(tmp_path)
    made = words.build()
    made.chat_template = "{{ messages[0].content }}"
    made.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": label}))
    found = checkpoint.locate(str(tmp_path), weights=False)
    loaded = checkpoint.load(transformers.AutoTokenizer, found)
    text = "two words\nand a line: é"
    assert loaded(text, add_special_tokens=False).input_ids == made(text).input_ids
    assert loaded.decode(made(text).input_ids) == text
    assert (loaded.eos_token, loaded.pad_token) == (words.EOS, words.PAD)
    assert loaded.chat_template == made.chat_template


@pytest.mark.parametrize("kind", ["policy"], indirect=True)
@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "not a mapping")])
def test_a_configuration_that_is_none(plain: Path, text: str, message: str) -> None:
    (plain / "config.json").write_text(text)
    with pytest.raises(DataError, match=rf"config\.json: {message}"):
        open_("policy", plain)


def test_a_recipe_file_cannot_agree_for_the_user(tmp_path: Path) -> None:
    """Recipes are passed on; consent is the user's own."""
    (tmp_path / "r.yaml").write_text("model: ORG/NAME\ntrust_remote_code: true\n")
    with pytest.raises(ConfigError, match=r"r\.yaml:2: a recipe has no 'trust_remote_code'"):
        open_prm(str(tmp_path / "r.yaml"))


# --- versions ------------------------------------------------------------------------------------


def test_a_branch_of_the_hub_is_recorded_as_the_commit_that_it_was(
    plain: Path, hub: Path, kind: str
) -> None:
    target = publish(hub, plain)
    newest, branch, pinned = (
        open_(kind, target, **options)
        for options in ({}, {"revision": "main"}, {"revision": COMMIT})
    )
    assert newest.identity() == branch.identity() == pinned.identity()
    assert newest.identity()["commit"] == COMMIT
    assert branch.describe() | {"revision": None} == newest.describe() | {"revision": None}
    assert (branch.describe()["commit"], branch.describe()["revision"]) == (COMMIT, "main")
    with pytest.raises(DataError, match="cannot get ORG/NAME from the hub"):
        open_(kind, target, revision="f" * 40)


# --- weights -------------------------------------------------------------------------------------


def pickled(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    half = len(weights) // 2
    for number, names in enumerate((list(weights)[:half], list(weights)[half:]), 1):
        part = {name: weights[name] for name in names}
        torch.save(part, folder / f"pytorch_model-{number:05}-of-00002.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("kind", ["prm"], indirect=True)
def test_pickled_weights_are_refused_with_the_line_that_converts_them(
    plain: Path, kind: str
) -> None:
    before = results(open_(kind, plain))
    pickled(plain)
    torch.save({"lr": 1.0}, plain / "training_args.bin")
    with pytest.raises(DataError, match="is a pickle, which may run code, and is never read") as no:
        open_(kind, plain)
    command = str(no.value).partition('python -c "')[2].removesuffix('"')
    assert "\n" not in str(no.value)
    subprocess.run([sys.executable, "-c", command], cwd=plain, check=True)
    assert results(open_(kind, plain)) == before


def test_pickled_weights_beside_others_are_not_read(plain: Path, kind: str) -> None:
    """Some tensors as safetensors are no reason to fall back on a pickle for the model's own."""
    shutil.copy(plain / "model.safetensors", plain / "other.safetensors")
    pickled(plain)
    with pytest.raises(DataError, match="does not load"):
        results(open_(kind, plain))


def test_pickled_weights_of_the_hub_are_refused(plain: Path, hub: Path, kind: str) -> None:
    pickled(plain)
    with pytest.raises(DataError, match="no safetensors weights"):
        open_(kind, publish(hub, plain))


def test_an_adapter_is_refused(plain: Path, kind: str) -> None:
    (plain / "adapter_config.json").write_text('{"base_model_name_or_path": "ORG/BASE"}')
    with pytest.raises(DataError, match=r"holds an adapter .* merge it"):
        open_(kind, plain)


def test_weights_that_do_not_fit_are_named(
    kind: str, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading alone; what else runs out of memory says batch= or cache=."""

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("full")

    spec = Spec("x", "transformers", str(plain))
    model = TransformersPolicy(spec) if kind == "policy" else TransformersPrm(spec)
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(InfrastructureError, match=r"its weights go to cpu; give dtype=bfloat16"):
        model.load()
