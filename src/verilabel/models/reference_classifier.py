"""What Pillow and the Python APIs of OpenVINO and ONNX Runtime make of photographs: reference_classifier.py MODEL LIST OUT.

Written for classifier_test.cpp. LIST names one photograph a line. A line of OUT: the SHA-256 of its 8-bit pixels, red, green, blue,
after the transform that torchvision states for MobileNetV2's weights (shorter side to 256, bilinear, centre of 224), that of the
float tensor made of them, and the class of the greatest output of either engine. Exit status 3 when a package is missing.
"""

import hashlib
import sys

try:
    import numpy
    import onnxruntime
    import openvino
    import PIL
    from PIL import Image, ImageOps
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)


def resized(image, width, height):
    """The horizontal pass first: where Pillow 12.3 and newer start with the vertical one, each axis is a call of its own."""
    if tuple(map(int, PIL.__version__.split(".")[:2])) >= (12, 3):
        image = image.resize((width, image.height), Image.Resampling.BILINEAR)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def prepared(path):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    shorter, longer = sorted(image.size)
    if shorter != 256:
        other = int(256 * longer / shorter)
        image = resized(image, *((256, other) if image.width <= image.height else (other, 256)))
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    return numpy.asarray(image.crop((left, top, left + 224, top + 224)))


def main():
    core = openvino.Core()
    # Some processors compute in bfloat16 unless told otherwise.
    graph = core.read_model(sys.argv[1])
    graph.reshape([1, 3, 224, 224])  # with a dynamic batch OpenVINO rounds an int8 graph in other places
    model = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more of them spin, and get into each other's way on a busy machine
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name
    mean = numpy.array([0.485, 0.456, 0.406], numpy.float32)
    std = numpy.array([0.229, 0.224, 0.225], numpy.float32)
    with open(sys.argv[2]) as listing, open(sys.argv[3], "w") as out:
        for line in listing:
            pixels = prepared(line.rstrip("\n"))
            scaled = (pixels.astype(numpy.float64) * (1 / 255)).astype(numpy.float32)
            tensor = numpy.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1)[None])
            hashes = (hashlib.sha256(array.tobytes()).hexdigest() for array in (pixels, tensor))
            outputs = (model(tensor)[0][0], session.run(None, {input_name: tensor})[0][0])
            print(*hashes, *(int(output.argmax()) for output in outputs), file=out)


if __name__ == "__main__":
    main()
