"""Our small models as other libraries take them."""

import pytest
import torch

from lib.lab import adapters
from lib.lab.training import Llama, Shape

TINY = Shape(vocabulary=50, context=16, width=16, layers=2, heads=2, hidden=24)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_transformers_says_what_our_model_says():
    model = Llama(TINY, (3,))
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.1 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1))
    theirs = adapters.to_transformers(model)
    rows = torch.randint(0, 50, (4, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(rows[None])[0], theirs(rows).logits, rtol=1e-4, atol=1e-4)
    assert theirs.num_parameters() == TINY.parameters


def test_it_is_a_copy_of_the_first_member():
    model = Llama(TINY, (3, 4))
    theirs = adapters.to_transformers(model)
    assert torch.equal(theirs.model.embed_tokens.weight, model.embedding[0])
    with torch.no_grad():
        theirs.model.norm.weight += 1
    assert not torch.equal(model.gain[0, 0], theirs.model.norm.weight)
