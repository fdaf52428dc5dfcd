"""Secrets in files that would be uploaded. Put together here, so that no scanner of this repository finds one."""

import pytest

from flowspec.request.secret_scan import find_secret
from tests.work import is_linear

ID = "AKIA" + "Q3EGV7XJ2LMN4PRS"
SECRET = "uJ8x/Kq2Zp" + "LmN4vB7cXwErT9yH3sDfGaQoWi1U"[:28] + "5k"
KEY = "-----BEGIN " + "{}PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KEY.format(""), "a private key, in line 1"),
        ("a\nb\n" + KEY.format("RSA "), "a private key, in line 3"),
        (KEY.format("OPENSSH "), "a private key, in line 1"),
        (KEY.format("ENCRYPTED "), "a private key, in line 1"),
        ("-----BEGIN " + "PGP PRIVATE KEY BLOCK-----", "a private key, in line 1"),
        (f"[default]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n", "an AWS secret access key, in line 3"),
        (f'{{"AccessKeyId": "{ID}", "SecretAccessKey": "{SECRET}"}}', "an AWS secret access key, in line 1"),
        (f"export AWS_SECRET_ACCESS_KEY='{SECRET}'", "an AWS secret access key, in line 1"),
        (f"fs.s3a.secret.key={SECRET}", "an AWS secret access key, in line 1"),
        (f"Access key ID,Secret access key\n{ID},{SECRET}\n", "an AWS access key with its secret, in line 2"),
        (f"connect('{ID.replace('AKIA', 'ASIA')}', '{SECRET}')", "an AWS access key with its secret, in line 1"),
    ],
)  # fmt: skip
def test_what_is_found(text, found):
    assert len(SECRET) == 40
    assert find_secret([text.encode()]) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "PRIVATE KEY", "-----BEGIN CERTIFICATE-----", "-----BEGIN " + "PUBLIC KEY-----", ID, f"{ID} {ID}", SECRET,
        "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']", "secret_key: " + "x" * 40, f"secretary = {SECRET}",
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", f"secret_key = {SECRET}{SECRET}", f"x{ID} {SECRET}",
    ],
)  # fmt: skip
def test_what_is_none(text):
    assert find_secret([text.encode()]) == ""


@pytest.mark.parametrize("at", range(0, 80, 7))
def test_wherever_a_block_ends(at):
    text = (f"line\n{ID},{SECRET}\n").encode()
    assert find_secret([b"\n" * 1000, text[:at], text[at:]]) == "an AWS access key with its secret, in line 1002"


@pytest.mark.parametrize("text", [bytes(range(256)), b"secret_key======AKIA" + b"A" * 12], ids=["any", "almost"])
def test_looking_at_megabytes_costs_no_more_than_their_length(text):
    def look(size):
        assert find_secret([text * (size // len(text))]) == ""

    assert is_linear(look, 100_000)
