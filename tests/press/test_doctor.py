import importlib.metadata

from lib.press import doctor


def test_the_lock_names_what_is_installed():
    pinned = doctor.locked_versions()
    assert pinned["torch"] == "2.13.0"
    assert len(pinned) > 100
    different = {
        name: (importlib.metadata.version(name), version)
        for name, version in pinned.items()
        if importlib.metadata.version(name).partition("+")[0] != version
    }
    assert different == {}


def test_what_is_missing_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "locked_versions", lambda: {"no-such-package": "1.0", "numpy": "0.1"})
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    found = {finding.name: finding for finding in doctor.examine()}
    assert not found["packages"].ok
    assert found["packages"].needed
    assert "1 missing, 1 of another version" in found["packages"].text
    assert "make setup" in found["packages"].text
    assert "browser tests are skipped" in found["Chromium"].text
    assert "smalldocs renders" in found["quarto"].text


def test_the_placeholder_address_is_noticed():
    found = next(finding for finding in doctor.examine() if finding.name == "site-url")
    assert ("guidon.example" in found.text) == (not found.ok)
