"""Test the server over HTTP: its responses, its errors, and that it answers as the model does."""

import json
import re
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.http as triton
from PIL import Image
from serving import FORM, INFER, TENSOR, Server, drawn, error, form, predicted, serving

from cnn_mnist.data import digits
from cnn_mnist.inference.model import BUNDLED, Model

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def test_an_answer_equals_predict_json_of_the_same_file(server: Server, tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "GIF"):
        file = tmp_path / f"digits.{kind.lower()}"
        file.write_bytes(drawn("1", "4", "7", kind=kind))
        status, _, body = server.ask("POST", "/predict", file.read_bytes())
        assert status == 200
        assert json.loads(body) == predicted(file) | {"file": "-"}
        assert json.loads(body)["text"] == "147"


def test_an_answer_equals_predict_json_of_real_photos(server: Server) -> None:
    files = [path for path in sorted(PHOTOS.glob("multi/*")) if path.suffix in (".jpg", ".png")][:6]
    if not files:
        pytest.skip("the photos are not available")
    for file in files:
        answer = json.loads(server.ask("POST", "/predict", file.read_bytes())[2])
        assert answer == predicted(file) | {"file": "-"}


def test_a_form_s_file_keeps_its_name(server: Server) -> None:
    status, _, body = server.ask("POST", "/predict", **form(drawn("4")))
    assert status == 200
    assert json.loads(body)["file"] == "my digit.png"
    assert json.loads(body)["text"] == "4"


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"body": b"GIF89a"}, 415, "image"),
        ({"body": b"hello"}, 415, "not an image"),
        ({"body": b""}, 400, "the body is empty"),
        ({"body": b"x", "content_encoding": "gzip"}, 415, "compressed"),
        (form(b"x", field="picture"), 400, "field `file`"),
        (form(b"hello"), 415, "not an image"),
        ({"body": b"x", "content_type": "multipart/form-data"}, 400, "form"),
        ({"body": b"x", "content_type": FORM}, 400, "form"),
        ({"body": b"--line\r\n\r\n\r\n--line--", "content_type": FORM}, 400, "form"),
    ],
)
def test_a_body_that_is_not_an_image_is_refused(
    server: Server, request_: dict[str, Any], status: int, says: str
) -> None:
    for path in ("/predict", "/layers"):
        given, _, body = server.ask("POST", path, **request_)
        assert given == status
        assert says in error(body)


def test_a_picture_with_too_many_pixels_is_413_before_it_is_decoded(server: Server) -> None:
    stream = BytesIO()
    Image.new("1", (8_000, 8_000)).save(stream, "PNG")
    status, _, body = server.ask("POST", "/predict", stream.getvalue())
    assert status == 413
    assert "pixels" in error(body)


def test_bodies_beyond_the_limits_are_413(server: Server) -> None:
    for path, size in (("/predict", 17 << 20), (INFER, 5 << 20)):
        status, fields, body = server.ask("POST", path, bytes(size))
        assert status == 413
        assert "larger than" in error(body)
        assert fields["connection"] == "close"


def test_layers_are_those_of_the_graph_and_end_in_the_probabilities(server: Server) -> None:
    status, _, body = server.ask("POST", "/layers?digit=1", drawn("1", "7"))
    assert status == 200
    answer = json.loads(body)
    assert answer["text"] == "17"
    moving = ("Reshape", "Concat")
    nodes = [node for node in onnx.load(BUNDLED).graph.node if node.op_type not in moving]
    assert [layer["name"] for layer in answer["layers"]] == [node.name for node in nodes]
    last = answer["layers"][-1]
    assert last["kind"] == "Softmax"
    assert last["shape"] == [10]
    assert answer["layers"][0]["shape"] == [32, 28, 28]
    assert json.loads(server.ask("POST", "/layers?digit=9", drawn("1"))[2])["layers"] == []
    assert server.ask("POST", "/layers?digit=x", drawn("1"))[0] == 400


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield client
    client.close()


def test_triton_s_client_finds_the_server_alive_and_ready(
    client: triton.InferenceServerClient,
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("cnn-mnist")
    assert client.is_model_ready("cnn-mnist", "1")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata("cnn-mnist")["inputs"][0]["shape"] == [-1, 1, 28, 28]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_triton_s_client_gets_the_model_s_outputs(
    client: triton.InferenceServerClient, binary: bool, count: int
) -> None:
    images = digits.load().test.images[:count, None].astype(np.float32) / np.float32(255)
    tensor = triton.InferInput("images", images.shape, "FP32")
    tensor.set_data_from_numpy(images, binary_data=binary)
    wanted = [triton.InferRequestedOutput(name, binary) for name in ("probabilities", "logits")]
    model = Model(BUNDLED, threads=1)
    for outputs in (wanted, None):
        result = client.infer("cnn-mnist", [tensor], outputs=outputs, request_id="7")
        assert result.get_response()["id"] == "7"
        logits, probabilities = model.predict(images)
        assert np.array_equal(result.as_numpy("logits"), logits)
        assert np.array_equal(result.as_numpy("probabilities"), probabilities)


def test_triton_s_client_gets_the_error_message(client: triton.InferenceServerClient) -> None:
    tensor = triton.InferInput("images", [1, 784], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 784), np.float32))
    with pytest.raises(triton.InferenceServerException, match=r"expected \[N, 1, 28, 28\]"):
        client.infer("cnn-mnist", [tensor])
    with pytest.raises(triton.InferenceServerException, match="no such path"):
        client.get_model_metadata("another")


@pytest.mark.parametrize("header", ["x", "-1", "9" * 40, "²"])
def test_a_wrong_length_of_the_json_is_400(server: Server, header: str) -> None:
    fields = {"inference_header_content_length": header}
    status, _, body = server.ask("POST", INFER, b"{}", **fields)
    assert status == 400
    assert "inference-header-content-length" in error(body)


def test_every_response_has_a_request_id_and_the_security_headers(server: Server) -> None:
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("POST", "/predict"), ("PUT", "/v2")):
        _, fields, _ = server.ask(method, path, X_Request_ID="my-id.7")
        assert fields["x-request-id"] == "my-id.7"
        assert fields["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in fields["content-security-policy"]
        assert "server" not in fields
    for unfit in ("", "a b", "x" * 129, "<script>"):
        given = server.ask("GET", "/v2", X_Request_ID=unfit)[1]["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", given)


def test_no_error_reveals_files_versions_or_tracebacks(server: Server) -> None:
    for method, path, body in (
        ("POST", "/predict", b"x"),
        ("POST", INFER, b"{"),
        ("GET", "/../../etc/passwd", None),
        ("GET", "/static/../page.js", None),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", None),
        ("GET", "/page.js/..%2f..%2fapp.py", None),
        ("GET", "/nothing%00", None),
        ("DELETE", "/predict", None),
    ):
        status, fields, answer = server.ask(method, path, body)
        assert 400 <= status < 500, path
        text = f"{fields}{error(answer)}".lower()
        for word in ("traceback", "site-packages", "/src", "uvicorn", "starlette", "root:"):
            assert word not in text


def test_a_head_request_is_a_get_without_a_body(server: Server) -> None:
    _, fields, body = server.ask("HEAD", "/")
    assert body == b""
    assert fields["content-length"] == str(len(server.ask("GET", "/")[2]))


def test_the_log_has_a_json_line_for_each_request(server: Server) -> None:
    server.ask("POST", "/predict", drawn("1"), X_Request_ID="to-be-found")
    until = time.monotonic() + 120  # the log is read by a thread of its own
    lines: list[dict[str, Any]] = []
    while not lines and time.monotonic() < until:
        lines = [line for line in server.log if line.get("request_id") == "to-be-found"]
        time.sleep(0.01)
    (line,) = lines
    assert line["method"] == "POST"
    assert line["path"] == "/predict"
    assert line["status"] == 200
    assert line["seconds"] > 0
    assert line["client"] == "127.0.0.1"


def metric(server: Server, name: str) -> float:
    page = server.ask("GET", "/metrics")[2].decode()
    found = [line.split()[-1] for line in page.splitlines() if line.startswith(name + " ")]
    return float(found[0]) if found else 0.0


def test_the_metrics_count_requests_batches_and_requests_in_flight(server: Server) -> None:
    requests = 'cnn_mnist_requests_total{route="/predict",status="415"}'
    before = metric(server, requests)
    server.ask("POST", "/predict", b"x")
    assert metric(server, requests) == before + 1
    assert metric(server, 'cnn_mnist_request_seconds_count{route="/predict"}') >= before + 1
    assert metric(server, "cnn_mnist_requests_in_flight") == 1  # the one that asks
    assert metric(server, 'cnn_mnist_queue_depth{queue="tensors"}') == 0
    assert metric(server, "cnn_mnist_batch_images_count") >= 0
    server.ask("GET", "/anything-at-all")
    assert "anything" not in server.ask("GET", "/metrics")[2].decode()


def test_all_paths_but_health_and_the_page_require_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-secret\n")
    file.chmod(0o600)
    with serving("--token-file", file) as server:
        for path in (
            "/",
            "/style.css",
            "/page.js",
            "/docs",
            "/docs.js",
            "/v2/health/live",
            "/v2/health/ready",
        ):
            assert server.ask("GET", path)[0] == 200
        for path in ("/v2", "/metrics", "/openapi.json", "/nothing", "/v2/health/live/"):
            for given in ({}, {"Authorization": "Bearer a-secre"}, {"Authorization": "é"}):
                status, fields, body = server.ask("GET", path, **given)
                assert status == 401
                assert fields["www-authenticate"] == "Bearer"
                assert "token" in error(body)
        assert server.ask("GET", "/v2", Authorization="Bearer a-secret")[0] == 200


def test_256_images_in_one_request_are_all_answered(server: Server) -> None:
    images = np.zeros((256, 1, 28, 28), np.float32)
    tensor = TENSOR | {"shape": list(images.shape), "data": images.ravel().tolist()}
    status, _, body = server.ask("POST", INFER, json.dumps({"inputs": [tensor]}).encode())
    assert status == 200
    assert json.loads(body)["outputs"][0]["shape"] == [256, 10]
