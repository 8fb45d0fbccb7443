"""A file that is sent to the service in one part."""

from __future__ import annotations

import base64
import hashlib

from fastapi.testclient import TestClient

UPLOADS = "/api/v1/uploads"
PART = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}


def begin(client: TestClient, num_bytes: int, file_name: str = "chats.jsonl") -> str:
    """The address of a new upload."""
    metadata = f"filename {base64.b64encode(file_name.encode()).decode()}"
    answer = client.post(UPLOADS, headers={"Upload-Length": str(num_bytes), "Upload-Metadata": metadata})
    assert answer.status_code == 201, answer.text
    address: str = answer.headers["location"]
    return address


def checksum(content: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(content).digest()).decode()}"}


def upload(client: TestClient, content: bytes, file_name: str = "chats.jsonl") -> str:
    """The id of the complete upload."""
    address = begin(client, len(content), file_name)
    answer = client.patch(address, content=content, headers=PART | checksum(content) | {"Upload-Offset": "0"})
    assert answer.status_code == 204, answer.text
    return address.rsplit("/", 1)[-1]
