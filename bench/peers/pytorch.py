"""PyTorch on a CUDA device, as the bench's workers run it: `pytorch.py JOB.json`, or `pytorch.py --probe`.

The same network and weights as the other engines', written out in torch.nn's functions; cuDNN, eval, no gradients.
Speaks the words of src/bench/job.ts on standard output. Settings of a job: `mode` (eager, compiled, cuda-graph) and
`memoryFormat` (channels_last, contiguous).
"""

import json
import struct
import sys
import time

MESSAGE_MARK = "@bench "
LEAST_RUNS = 3
# Batches queued one behind the other when throughput is measured; PyTorch sets no limit.
IN_FLIGHT = 32
# Runs before a CUDA graph is captured, so that cuDNN has chosen its algorithms.
CAPTURE_WARMUPS = 3
BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")


def say(event, **fields):
    print(MESSAGE_MARK + json.dumps({"event": event, **fields}), flush=True)


def read_safetensors(path):
    """The float32 tensors of a safetensors file: name -> (shape, bytes)."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is {entry['dtype']}, not F32")
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["shape"], bytearray(data[begin:end]))
    return tensors


def probe():
    """What keeps this peer from running, None where nothing does."""
    try:
        import torch
    except ImportError:
        return "python3 has no PyTorch"
    if not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    return None


def make_network(torch, weights):
    """A torch.nn.Module from (N, 3, 224, 224) to probabilities (N, 1000); weights: name -> tensor."""
    nn, F = torch.nn, torch.nn.functional

    class Convolution(nn.Module):
        def __init__(self, name, stride=1):
            super().__init__()
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            out_channels, in_channels, kernel, _ = weight.shape
            self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
            self.conv.weight.data, self.conv.bias.data = weight, bias

        def forward(self, x):
            return F.relu(self.conv(x))

    class Inception(nn.Module):
        def __init__(self, block):
            super().__init__()
            layer = lambda name: Convolution(f"inception_{block}/{name}")
            self.one = layer("1x1")
            self.three = nn.Sequential(layer("3x3_reduce"), layer("3x3"))
            self.five = nn.Sequential(layer("5x5_reduce"), layer("5x5"))
            self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1, ceil_mode=True), layer("pool_proj"))

        def forward(self, x):
            return torch.cat((self.one(x), self.three(x), self.five(x), self.pool(x)), 1)

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    def normalise():
        # torch divides alpha by the number of channels in the window, as Caffe does.
        return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    layers = [
        Convolution("conv1/7x7_s2", 2),
        pool(),
        normalise(),
        Convolution("conv2/3x3_reduce"),
        Convolution("conv2/3x3"),
        normalise(),
        pool(),
    ]
    for block in BLOCKS:
        layers.append(Inception(block))
        if block in ("3b", "4e"):
            layers.append(pool())
    classifier = nn.Linear(1024, 1000)
    classifier.weight.data = weights["loss3/classifier.weight"]
    classifier.bias.data = weights["loss3/classifier.bias"]
    layers += [nn.AvgPool2d(7, 1), nn.Flatten(), classifier, nn.Softmax(1)]
    return nn.Sequential(*layers).eval()


class Engine:
    """The network on a device, fed from pinned memory and read back into it."""

    def __init__(self, torch, job, device):
        self.torch = torch
        self.device = device
        half = job["precision"] == "f16"
        self.type = torch.float16 if half else torch.float32
        settings = job["settings"]
        channels_last = settings["memoryFormat"] == "channels_last"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        # The shapes never change: cuDNN may time its algorithms once.
        torch.backends.cudnn.benchmark = True
        weights = {
            name: torch.frombuffer(data, dtype=torch.float32).reshape(shape)
            for name, (shape, data) in read_safetensors(job["files"]["weights"]).items()
        }
        self.network = make_network(torch, weights).to(device, self.type, memory_format=self.format)
        self.forward = self.network
        self.graph = None
        if settings["mode"] == "compiled":
            self.forward = torch.compile(self.network)
        elif settings["mode"] == "cuda-graph":
            self.capture(job["batch"])

    def capture(self, batch):
        torch = self.torch
        shape = (batch, 3, 224, 224)
        self.fixed_input = torch.zeros(shape, dtype=self.type, device=self.device).to(memory_format=self.format)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(CAPTURE_WARMUPS):
                self.network(self.fixed_input)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.fixed_output = self.network(self.fixed_input)

    def prepare(self, path, batch):
        """A batch in main memory as the device takes it fastest: its own type and layout, pinned."""
        torch = self.torch
        with open(path, "rb") as file:
            data = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(batch, 3, 224, 224)
        data = data.to(self.type).contiguous(memory_format=self.format)
        return data.pin_memory() if self.device == "cuda" else data

    def launch(self, data):
        """Probabilities on the device, perhaps not computed yet."""
        if self.graph is not None:
            self.fixed_input.copy_(data, non_blocking=True)
            self.graph.replay()
            return self.fixed_output
        return self.forward(data.to(self.device, non_blocking=True))

    def run(self, data):
        return self.launch(data).cpu()

    def run_without_readback(self, data):
        self.launch(data)
        self.synchronize()

    def synchronize(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def stream(self, inputs, outputs):
        """Launches a batch for each of the outputs, which are in pinned memory, and waits for all at the end."""
        for turn, output in enumerate(outputs):
            output.copy_(self.launch(inputs[turn % len(inputs)]), non_blocking=True)
        self.synchronize()


def measure(torch, job, device="cuda"):
    """Opens the engine, says when the first probabilities are there, and gives the report."""
    batch = job["batch"]
    engine = Engine(torch, job, device)
    inputs = [engine.prepare(path, batch) for path in job["files"]["inputs"]]
    expected = []
    for path in job["files"]["expected"]:
        with open(path, "rb") as file:
            expected.append(torch.frombuffer(bytearray(file.read()), dtype=torch.float32))
    errors = [0.0]

    def check(output, turn):
        difference = (output.float().flatten() - expected[turn % len(expected)]).abs().max().item()
        errors.append(difference)

    def repeat(run):
        times = []
        end = time.perf_counter() + job["seconds"]
        while len(times) < job["runs"] and (len(times) < LEAST_RUNS or time.perf_counter() < end):
            times.append(run(len(times)))
        return times

    def timed(turn):
        start = time.perf_counter()
        output = engine.run(inputs[turn % len(inputs)])
        milliseconds = 1000 * (time.perf_counter() - start)
        check(output, turn)
        return milliseconds

    def timed_without_readback(turn):
        start = time.perf_counter()
        engine.run_without_readback(inputs[turn % len(inputs)])
        return 1000 * (time.perf_counter() - start)

    first = engine.run(inputs[0])
    say("first")
    check(first, 0)
    for warmup in range(job["warmups"]):
        timed(warmup + 1)
    times = repeat(timed)
    without_readback = in_flight = None
    if not job["brief"]:
        without_readback = repeat(timed_without_readback)
        outputs = [torch.empty_like(first, pin_memory=device == "cuda") for _ in range(IN_FLIGHT)]
        start = time.perf_counter()
        engine.stream(inputs, outputs)
        seconds = time.perf_counter() - start
        for turn, output in enumerate(outputs):
            check(output, turn)
        in_flight = {"depth": IN_FLIGHT, "imagesPerSecond": batch * IN_FLIGHT / seconds}
    versions = {"torch": torch.__version__}
    if device == "cuda":
        versions["cuda"] = torch.version.cuda
        versions["cudnn"] = str(torch.backends.cudnn.version())
    finite = all(error == error and error != float("inf") for error in errors)
    return {
        "adapter": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "versions": versions,
        "times": times,
        "timesWithoutReadback": without_readback,
        "inFlight": in_flight,
        "maxAbsError": max(errors) if finite else None,
    }


def main():
    if sys.argv[1:] == ["--probe"]:
        print(json.dumps({"problem": probe()}))
        return 0
    try:
        import torch

        with open(sys.argv[1], encoding="utf-8") as file:
            job = json.load(file)
        with torch.inference_mode():
            report = measure(torch, job)
    except Exception as error:  # whatever it is, the bench says it in one line
        say("failed", reason=f"{type(error).__name__}: {error}")
        return 1
    say("done", report=report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
