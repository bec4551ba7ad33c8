import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from lib.lab import chat, models

WORDS = ["le", "chat", "dort", "sur", "un", "tapis", "rouge", "et", "bleu"]


@pytest.fixture(scope="module")
def loaded():
    """A tiny random language model of words, and its tokenizer."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    known = {word: number for number, word in enumerate(["<end>", "\n", *WORDS])}
    tokenizer = Tokenizer(kinds.WordLevel(known, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    torch.manual_seed(0)
    size = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "eos_token_id": 0,
    }
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(known), max_position_embeddings=64, **size)).eval()
    yield model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    torch.set_num_threads(before)


@pytest.fixture
def service(monkeypatch):
    """A chat endpoint on this machine; `answers` is what it says to each call in turn."""
    monkeypatch.setattr(chat, "WAIT_S", 0.0)
    monkeypatch.delenv(chat.KEY, raising=False)

    class Handler(BaseHTTPRequestHandler):
        answers: list = []
        calls: list = []

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.calls.append((self.path, self.headers.get("Authorization"), body))
            status, said = self.answers.pop(0) if self.answers else (200, body["messages"][0]["content"].upper())
            content = said if isinstance(said, bytes) else json.dumps({"choices": [{"message": {"content": said}}]})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content if isinstance(content, bytes) else content.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.answers, Handler.calls = [], []
    Handler.name = f"http://127.0.0.1:{server.server_port}/v1#small"
    yield Handler
    server.shutdown()
    server.server_close()


def greedy(model, tokenizer, prompt, length):
    """The likeliest token after the likeliest token, one prompt at a time, no cache."""
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    start = ids.shape[1]
    for _ in range(length):
        with torch.inference_mode():
            best = model(ids).logits[0, -1].argmax()
        if best == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, best.view(1, 1)], dim=1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True)


def test_a_batch_answers_as_one_prompt_at_a_time(loaded, monkeypatch):
    monkeypatch.setattr(chat, "AT_ONCE", 3)
    prompts = ["le chat dort", "un", "tapis rouge et bleu sur le tapis", "et", "le le le le"]
    expected = [chat.first_line(greedy(*loaded, prompt, 8)) for prompt in prompts]
    assert chat.transformers_model(*loaded, length=8)(prompts) == expected
    assert len(set(expected)) > 1


def test_no_prompt_gets_no_answer(loaded):
    assert chat.transformers_model(*loaded)([]) == []


@pytest.mark.parametrize(
    ("text", "line"), [("oui\nnon", "oui"), ("\n\n  oui \nnon", "oui"), ("", ""), (" \n ", ""), ("un mot", "un mot")]
)
def test_an_answer_is_its_first_line(text, line):
    assert chat.first_line(text) == line


def test_prompts_that_begin_alike_read_their_beginning_once(loaded):
    start = "le chat dort sur un tapis rouge et bleu"
    prompts = [start + end for end in (" le chat", " un", " sur un tapis rouge", " et bleu et")] + ["rouge", "bleu et"]
    expected = [chat.first_line(greedy(*loaded, prompt, 8)) for prompt in prompts]
    assert chat.transformers_model(*loaded, length=8)(prompts) == expected
    read = {place: shared for places, shared in chat.batches(loaded[1](prompts)["input_ids"]) for place in places}
    assert [read[place] for place in range(4)] == [9] * 4


def test_every_row_is_in_one_batch_that_shares_its_beginning():
    rows = [[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 5, 6], [1, 2, 3], [7], [7, 8], [1]]
    found = list(chat.batches(rows))
    assert sorted(place for places, _ in found for place in places) == list(range(len(rows)))
    for places, shared in found:
        assert len({tuple(rows[place][:shared]) for place in places}) == 1
        assert all(shared < len(rows[place]) for place in places)
    assert len(found) < len(rows)
    assert list(chat.batches([])) == []


def test_a_batch_is_no_larger_than_allowed(monkeypatch):
    monkeypatch.setattr(chat, "AT_ONCE", 2)
    assert [len(places) for places, _ in chat.batches([[1, 2, 3]] * 5)] == [2, 2, 1]


def test_fewer_bits_are_another_model_that_still_answers(loaded, monkeypatch):
    import copy

    monkeypatch.setattr(models, "load_causal_lm", lambda name: copy.deepcopy(loaded))
    ids = torch.tensor([[2, 3, 4]])
    with torch.inference_mode():
        exact = loaded[0](ids).logits
        for precision, least, most in (
            ("float32", 0, 1e-9),
            ("bfloat16", 1e-6, 0.05),
            ("int8", 1e-6, 0.05),
            ("int4", 1e-3, 1.0),
        ):
            smaller = copy.deepcopy(loaded[0])
            chat.round_weights(smaller, precision)
            assert least <= float((smaller(ids).logits - exact).norm() / exact.norm()) <= most, precision
    assert len(chat.open_model("smollm2@int8", 4)(["le chat"])) == 1


def test_groups_are_as_in_the_packed_file(loaded):
    import copy

    from lib.lab import packed

    model = copy.deepcopy(loaded[0])
    before = model.model.layers[0].mlp.up_proj.weight.detach().clone()
    chat.round_weights(model, "int4")
    expected = packed.unfold(packed.fold(before, packed.Version(4, 64)), 4)
    assert torch.equal(model.model.layers[0].mlp.up_proj.weight, expected)
    assert not torch.equal(before, expected)


def test_a_name_with_updates_opens_the_updated_model(loaded, monkeypatch):
    seen = []
    monkeypatch.setattr(chat.updates, "load_updated", lambda name: seen.append(name) or loaded)
    assert len(chat.open_model("smollm2+french", 4)(["le chat"])) == 1
    assert seen == ["smollm2"]


def test_a_precision_that_is_not_known_is_said():
    with pytest.raises(chat.ModelError, match="float32, bfloat16, int8, int4"):
        chat.open_model("smollm2@int3")


def test_an_endpoint_is_asked_as_chat_completions_are(service, monkeypatch):
    monkeypatch.setenv(chat.KEY, "secret")
    assert chat.open_model(service.name, 7)(["oui ou non", "deux\nlignes"]) == ["OUI OU NON", "DEUX"]
    path, authorization, body = service.calls[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("small", 7, 0)


def test_a_busy_endpoint_is_asked_again(service):
    service.answers += [(429, "busy"), (503, "busy")]
    assert chat.open_model(service.name)(["un"]) == ["UN"]
    assert len(service.calls) == 3


@pytest.mark.parametrize(
    ("answers", "message", "calls"),
    [
        ([(401, "no")], "answers 401", 1),
        ([(500, "no")] * 4, "answers 500", 4),
        ([(200, b"<html>")], "does not answer as chat completions do", 1),
        ([(200, b'{"choices": []}')], "does not answer as chat completions do", 1),
    ],
)
def test_what_an_endpoint_does_wrong_is_one_sentence(service, answers, message, calls):
    service.answers += answers
    with pytest.raises(chat.ModelError, match=message):
        chat.open_model(service.name)(["un"])
    assert len(service.calls) == calls


def test_an_endpoint_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(chat, "WAIT_S", 0.0)
    with pytest.raises(chat.ModelError, match="cannot be reached"):
        chat.open_model("http://127.0.0.1:9/v1#small")(["un"])


@pytest.mark.parametrize("name", ["ftp://host/v1#small", "https://host/v1"])
def test_an_address_without_its_parts_is_said(name):
    with pytest.raises(chat.ModelError, match="https://host/v1#model"):
        chat.open_model(name)


def test_a_key_does_not_travel_in_the_clear(monkeypatch):
    monkeypatch.setenv(chat.KEY, "secret")
    with pytest.raises(chat.ModelError, match="only travels over https") as raised:
        chat.open_model("http://example.org/v1#small")
    assert "secret" not in str(raised.value)


def test_drawn_answers_hang_on_their_prompt_not_on_their_neighbours(loaded):
    model = chat.transformers_model(*loaded, length=6, temperature=3.0)
    prompts = ["le chat dort", "le chien", "le chat dort", "le chat"]
    together = model(prompts)
    assert together == model(prompts)
    assert together[0] != together[2]  # the same prompt again is another draw
    assert model(["le chat", "le chat dort", "le chat dort"]) == [together[3], together[0], together[2]]
    assert together != chat.transformers_model(*loaded, length=6)(prompts)


def test_a_cold_draw_is_the_likeliest_answer(loaded):
    prompts = ["le chat dort", "le chien"]
    cold = chat.transformers_model(*loaded, length=6, temperature=1e-4)
    assert cold(prompts) == chat.transformers_model(*loaded, length=6)(prompts)


def test_tokens_are_drawn_as_often_as_they_are_likely():
    import numpy as np
    import torch

    wanted = torch.tensor([0.5, 0.25, 0.0, 0.25])
    numbers = (np.arange(4000) + 0.5) / 4000
    found = chat._draw(wanted.log().expand(4000, 4), numbers)
    assert np.bincount(found.numpy(), minlength=4).tolist() == [2000, 1000, 0, 1000]
    assert chat._draw(torch.zeros(1, 4), np.array([np.nextafter(1, 0)])).tolist() == [3]


@pytest.mark.parametrize("said", ["", "hot", "0", "-1", "nan", "inf"])
def test_a_temperature_that_is_none_is_said(said):
    with pytest.raises(chat.ModelError, match="stands a temperature above 0"):
        chat.open_model(f"smollm2~{said}")


def test_an_endpoint_is_told_the_temperature(service):
    assert chat.open_model(f"{service.name}~0.7")(["un"]) == ["UN"]
    assert [body["temperature"] for _, _, body in service.calls] == [0.7]
    assert chat._temperature("http://host/~me/v1#small") == ("http://host/~me/v1#small", 0.0)
