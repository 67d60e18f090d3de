"""What is sent there and back, and programs that do it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.drivers import PATIENCE

# Text as it is; binary messages as numbers, and long ones as a size: JSON has to bear them.
TEXTS = ["HelloWorld", "", "é☃😀\0", "x" * 70_000]
SIZES = [0, 1, 125, 126, 65_535, 65_536, 500_000]

# A JavaScript function that sends everything one after the other through any `WebSocket` of the
# browser's interface, and resolves with what came back.
EXCHANGE = """
function exchange(ws, texts, sizes) {
  const results = {texts: [], sizes: [], kinds: []};
  const outbox = [...texts, ...sizes.map((n) => Uint8Array.from({length: n}, (_, i) => i % 251))];
  ws.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    const next = () => {
      const seen = results.texts.length + results.sizes.length;
      if (seen < outbox.length) ws.send(outbox[seen]);
      else ws.close(4000, "done");
    };
    ws.onopen = next;
    ws.onmessage = ({data}) => {
      if (typeof data === "string") results.texts.push(data);
      else {
        const bytes = new Uint8Array(data);
        results.sizes.push(bytes.every((b, i) => b === i % 251) ? bytes.length : "corrupted");
      }
      next();
    };
    ws.onerror = (event) => { results.error = String(event.message || event.type); };
    ws.onclose = ({code, reason, wasClean}) => {
      Object.assign(results, {code, reason: String(reason), wasClean, protocol: ws.protocol});
      resolve(results);
    };
  });
}
"""

EXPECTED: dict[str, Any] = {
    "texts": TEXTS,
    "sizes": SIZES,
    "kinds": [],
    "code": 4000,
    # The server's answer has the code and no reason (RFC 6455 §5.5.1).
    "reason": "",
    "wasClean": True,
    "protocol": "",
}


def payload(size: int) -> bytes:
    """A binary message, as ``exchange`` makes it."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def run(*command: str | Path, source: str) -> Any:
    """Run a JavaScript program from its standard input, and return the JSON it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        input=source,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
