"""The images' recipes and bills of materials, as far as they can be seen without a Docker engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1] / "images"
sys.path.insert(0, str(HERE))

import sbom  # noqa: E402

PROGRAMS = {"controller": "dormouse", "proxy": "dormouse-proxy", "service": "dormouse-service"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_is_one_program_that_is_not_root(name: str) -> None:
    program = PROGRAMS[name]
    text = (HERE / f"{name}.Dockerfile").read_text()
    assert (HERE / f"{name}.Dockerfile.dockerignore").is_file()
    build, final = text.split("\nFROM scratch\n")
    assert "--locked --profile dist --target" in build and f"--package {program} " in build
    copied = re.findall(r"^COPY --from=build (\S+) \S+$", final, re.MULTILINE)
    certificates = ["/etc/ssl/certs/ca-certificates.crt"] if name == "controller" else []
    assert copied == [*certificates, f"/{program}"]
    assert "USER 65532:65532" in final and f'ENTRYPOINT ["/{program}"]' in final
    assert f'CMD ["/{program}", "healthcheck"]' in final
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in final


@pytest.mark.parametrize("script", ["build", "build-controller"])
def test_an_unknown_architecture_is_refused_by_its_name(script: str) -> None:
    ran = subprocess.run([HERE / script, "riscv64"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "no static programs for 'riscv64': x86_64 and aarch64 are known\n"


@pytest.mark.skipif(shutil.which("cargo") is None, reason="Cargo says what is linked")
@pytest.mark.parametrize("program", PROGRAMS.values())
def test_a_bill_of_materials_names_what_is_linked(program: str) -> None:
    bill = sbom.bill(program, "x86_64-unknown-linux-gnu")
    assert bill["metadata"]["component"]["name"] == program
    names = {one["name"] for one in bill["components"]}
    assert "tokio" in names
    assert any(name.startswith("aws-sdk") for name in names) == (program == "dormouse")
    # What only builds or tests is not in it.
    assert not names & {"proptest", "insta", "cc"}
    for one in bill["components"]:
        own = one["name"].startswith("dormouse")
        assert own or one["hashes"][0]["alg"] == "SHA-256", one["name"]
        assert one["licenses"], one["name"]
