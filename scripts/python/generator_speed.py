"""What a request costs the load generator, beside h2load and ghz: CPU time of the generator's
own process, server on CPU 0, generator on CPU 1, in turns, the best of each.

Usage: generator_speed.py PROGRAMS [GHZ], where PROGRAMS is the folder with the release builds of
corespun-load and bench-corespun, and GHZ the ghz program. Prints a Markdown table.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(sys.argv[1])
GHZ = sys.argv[2] if len(sys.argv) > 2 else shutil.which("ghz")
ROOT = Path(__file__).resolve().parents[2]
SCHEMA = str(ROOT / "proto/user.proto")
METHOD = "user.UserService/GetUser"
SHAPES = [(1, 100), (10, 10), (10, 100), (64, 1)]
TURNS, SECONDS = 3, 2
REQUEST = b"\0\0\0\0\x02\x08\x01"


def measured(command, environment=None):
    """The output of a command pinned to CPU 1, and the CPU seconds that it used."""
    before = os.times()
    environment = {**os.environ, **(environment or {})}
    pinned = ["taskset", "-c", "1", *command]
    done = subprocess.run(pinned, capture_output=True, text=True, check=True, env=environment)
    after = os.times()
    user = after.children_user - before.children_user
    return done.stdout, user + after.children_system - before.children_system


def ours(address, connections, streams, folder):
    report = folder / "report.json"
    line = [PROGRAMS / "corespun-load", "run", "--target", address, "--proto", SCHEMA]
    line += ["--method", METHOD, "--data", '{"id": 1}', "--connections", str(connections)]
    line += ["--streams", str(streams), "--warmup", "0s", "--duration", f"{SECONDS}s"]
    _, cpu = measured([*map(str, line), "--cpu", "1", "--json", str(report)])
    return json.loads(report.read_text())["ok"], cpu


def h2load(address, connections, streams, folder):
    request = folder / "request"
    request.write_bytes(REQUEST)
    line = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{SECONDS}"]
    line += ["--warm-up-time=0", "-d", str(request), "-H", "content-type: application/grpc"]
    out, cpu = measured([*line, "-H", "te: trailers", f"http://{address}/{METHOD}"])
    return int(re.search(r"(\d+) succeeded", out).group(1)), cpu


def ghz(address, connections, streams, _):
    line = [GHZ, "--insecure", "--proto", SCHEMA, "--call", METHOD, "-d", '{"id": 1}']
    line += ["--connections", str(connections), "-c", str(connections * streams)]
    out, cpu = measured([*line, "-z", f"{SECONDS}s", address], {"GOMAXPROCS": "1"})
    return int(re.search(r"\[OK\]\s+(\d+)", out).group(1)), cpu


def row(name, costs):
    cells = [name, *(f"{cost:.2f}" for cost in costs)]
    cells += [f"{cost / costs[0]:.1f}" for cost in costs[1:]]
    return "| " + " | ".join(cells) + " |"


def main():
    others = [("h2load", h2load)] if shutil.which("h2load") else []
    others += [("ghz", ghz)] if GHZ else []
    rivals = [("corespun-load", ours), *others]
    line = ["taskset", "-c", "0", PROGRAMS / "bench-corespun", "--listen", "127.0.0.1:0"]
    line = [*map(str, line), "--shards", "1"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as server:
        with tempfile.TemporaryDirectory() as folder:
            address = server.stderr.readline().split()[2]
            columns = ["connections × streams", *(name for name, _ in rivals)]
            print("| " + " | ".join([*columns, *(f"{name} / ours" for name, _ in others)]) + " |")
            print("|" + "---|" * (len(columns) + len(others)))
            least = [float("inf")] * len(rivals)
            for shape in SHAPES:
                best = [float("inf")] * len(rivals)
                for _ in range(TURNS):
                    for place, (_, drive) in enumerate(rivals):
                        calls, cpu = drive(address, *shape, Path(folder))
                        best[place] = min(best[place], cpu / calls * 1e6)
                print(row(f"{shape[0]} × {shape[1]}", best), flush=True)
                least = list(map(min, least, best))
            print(row("each at its best", least))
        server.terminate()


if __name__ == "__main__":
    main()
