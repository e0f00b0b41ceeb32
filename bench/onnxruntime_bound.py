"""ONNX Runtime alone on a graph, inputs in memory, all processors: onnxruntime_bound.py MODEL [SECONDS].

Prints inferences a second of both ways to use several processors: `streams`, one inference a processor side by side, and
`together`, one inference after the other on all processors.
"""

import json
import os
import sys
import threading
import time

import numpy
import onnxruntime

model = sys.argv[1]
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
processors = len(os.sched_getaffinity(0))


def inferences_a_second(threads, threads_of_an_inference):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_of_an_inference
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # Noise, as an image is: with zeros everywhere the engine is faster by one or two per cent.
    rng = numpy.random.default_rng(0)
    shapes = {i.name: [n if isinstance(n, int) else 1 for n in i.shape] for i in session.get_inputs()}
    inputs = {name: 255 * rng.random(shape, numpy.float32) for name, shape in shapes.items()}
    done = [0] * threads

    def work(thread, until):
        while time.monotonic() < until:
            session.run(None, inputs)
            done[thread] += 1

    session.run(None, inputs)
    begin = time.monotonic()
    workers = [threading.Thread(target=work, args=(thread, begin + seconds)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.monotonic() - begin)


print(json.dumps({"streams": inferences_a_second(processors, 1), "together": inferences_a_second(1, processors)}))
