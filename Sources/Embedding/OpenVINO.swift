import CImagingKernels
import COpenVINO
import Glibc
import Products

// OpenVINO is met here alone: https://docs.openvino.ai, "OpenVINO Runtime C API". Every handle belongs to a
// type that frees it once.

/// A network compiled for the CPU, from which requests are made.
///
/// `@unchecked Sendable`: `ov_compiled_model_create_infer_request` may be called from several threads (the
/// C++ class behind it is documented as thread-safe), and nothing else is called until `deinit`.
final class CompiledNetwork: @unchecked Sendable {
    private let core: OpaquePointer
    private let compiled: OpaquePointer
    private let manifest: ModelManifest

    init(file: String, manifest: ModelManifest, precision: ModelSource.Precision, threads: Int)
        throws(ModelError)
    {
        self.manifest = manifest
        core = try created("starting") { ov_core_create(&$0) }
        var properties = [
            // As many streams as threads: each picture is computed by one core, so several are in flight and
            // the sums of one run in one order. Pinning would fight with the threads that decode.
            ("NUM_STREAMS", "\(threads)"),
            ("INFERENCE_NUM_THREADS", "\(threads)"),
            ("ENABLE_CPU_PINNING", "NO"),
        ]
        if precision == .f32 { properties.append(("INFERENCE_PRECISION_HINT", "f32")) }
        do throws(ModelError) {
            let model = try Network(core: core, file: file)
            try model.check(against: manifest)
            compiled = try model.compiled(on: core, properties: properties)
        } catch {
            ov_core_free(core)
            throw error
        }
    }

    deinit {
        ov_compiled_model_free(compiled)
        ov_core_free(core)
    }

    func makeRequest() throws(ModelError) -> InferenceRequest {
        let request: OpaquePointer = try created("making an inference request") {
            ov_compiled_model_create_infer_request(compiled, &$0)
        }
        return InferenceRequest(owning: request, of: self, manifest: manifest)
    }
}

/// One inference at a time, with its own input and output memory.
struct InferenceRequest: ~Copyable {
    private let request: OpaquePointer
    /// Keeps the network alive as long as its requests.
    private let network: CompiledNetwork
    private let inputName: String
    private let outputName: String
    private let dimension: Int

    init(owning request: OpaquePointer, of network: CompiledNetwork, manifest: ModelManifest) {
        self.request = request
        self.network = network
        inputName = manifest.input.name
        outputName = manifest.outputName
        dimension = manifest.dimension
    }

    deinit { ov_infer_request_free(request) }

    /// The values of the model's output for one picture: `dimension` numbers.
    borrowing func infer(_ picture: Picture, input: ModelManifest.Input) throws(ModelError) -> [Float] {
        let tensor: OpaquePointer = try created("finding the input \(inputName)") {
            ov_infer_request_get_tensor(request, inputName, &$0)
        }
        defer { ov_tensor_free(tensor) }
        imgrec_planes(
            picture.pixels, picture.width * picture.height, input.planes, input.mean, input.scale,
            try floats(of: tensor, count: 3 * picture.width * picture.height))
        try check("running the network", ov_infer_request_infer(request))

        let output: OpaquePointer = try created("finding the output \(outputName)") {
            ov_infer_request_get_tensor(request, outputName, &$0)
        }
        defer { ov_tensor_free(output) }
        return Array(UnsafeBufferPointer(start: try floats(of: output, count: dimension), count: dimension))
    }

    private borrowing func floats(of tensor: OpaquePointer, count: Int) throws(ModelError)
        -> UnsafeMutablePointer<Float>
    {
        var data: UnsafeMutableRawPointer?
        var size = 0
        try check("measuring a tensor", ov_tensor_get_size(tensor, &size))
        guard size == count else {
            throw .openVINO(doing: "measuring a tensor", message: "it holds \(size) values, not \(count)")
        }
        try check("reading a tensor", ov_tensor_data(tensor, &data))
        return data!.assumingMemoryBound(to: Float.self)
    }
}

/// A network as it was read from its file.
private struct Network: ~Copyable {
    private let model: OpaquePointer

    init(core: OpaquePointer, file: String) throws(ModelError) {
        model = try created("reading \(file)") { ov_core_read_model(core, file, nil, &$0) }
    }

    deinit { ov_model_free(model) }

    borrowing func compiled(
        on core: OpaquePointer, properties: [(String, String)]
    ) throws(ModelError) -> OpaquePointer {
        // The names and values live until the call returns; OpenVINO copies them.
        let strings = properties.flatMap { [strdup($0.0), strdup($0.1)] }
        defer { for string in strings { free(string) } }
        let pairs = properties.indices.map { ov_property_t(key: strings[$0 * 2], value: strings[$0 * 2 + 1]) }
        return try created("compiling the network") {
            ov_core_compile_model_props(core, model, "CPU", pairs.count, pairs, &$0)
        }
    }

    /// The manifest's input must be float32 [1, 3, height, width], its output float32 of `dimension` values.
    borrowing func check(against manifest: ModelManifest) throws(ModelError) {
        let input: OpaquePointer = try port(manifest, "input", manifest.input.name) {
            ov_model_const_input_by_name(model, manifest.input.name, &$0)
        }
        defer { ov_output_const_port_free(input) }
        let wanted = [1, 3, manifest.shape.height, manifest.shape.width]
        try check(manifest, input, "input \(manifest.input.name)") {
            $0 == wanted
        } expected: {
            "\(wanted)"
        }

        let output: OpaquePointer = try port(manifest, "output", manifest.outputName) {
            ov_model_const_output_by_name(model, manifest.outputName, &$0)
        }
        defer { ov_output_const_port_free(output) }
        try check(manifest, output, "output \(manifest.outputName)") {
            $0.reduce(1, *) == manifest.dimension
        } expected: {
            "\(manifest.dimension) values"
        }
    }

    private borrowing func port(
        _ manifest: ModelManifest, _ kind: String, _ name: String,
        _ find: (inout OpaquePointer?) -> ov_status_e
    ) throws(ModelError) -> OpaquePointer {
        var port: OpaquePointer?
        guard find(&port) == OK, let port else {
            throw .wrongInterface(model: manifest.name, reason: "it has no \(kind) named \(name)")
        }
        return port
    }

    private borrowing func check(
        _ manifest: ModelManifest, _ port: OpaquePointer, _ what: String,
        _ isRight: ([Int]) -> Bool, expected: () -> String
    ) throws(ModelError) {
        var type = DYNAMIC
        guard ov_port_get_element_type(port, &type) == OK, type == F32 else {
            throw .wrongInterface(model: manifest.name, reason: "its \(what) is not of type float32")
        }
        var shape = ov_shape_t()
        guard ov_const_port_get_shape(port, &shape) == OK else {
            throw .wrongInterface(model: manifest.name, reason: "its \(what) has no fixed shape")
        }
        defer { ov_shape_free(&shape) }
        let dimensions = UnsafeBufferPointer(start: shape.dims, count: Int(shape.rank)).map { Int($0) }
        guard isRight(dimensions) else {
            throw .wrongInterface(
                model: manifest.name, reason: "its \(what) has the shape \(dimensions), not \(expected())")
        }
    }
}

// MARK: Status codes

private func check(_ doing: @autoclosure () -> String, _ status: ov_status_e) throws(ModelError) {
    guard status == OK else {
        let message = ov_get_last_err_msg().map { String(cString: $0) } ?? ""
        throw .openVINO(doing: doing(), message: message.isEmpty ? "status \(status.rawValue)" : message)
    }
}

private func created(
    _ doing: @autoclosure () -> String, _ create: (inout OpaquePointer?) -> ov_status_e
) throws(ModelError) -> OpaquePointer {
    var handle: OpaquePointer?
    let status = create(&handle)
    try check(doing(), status)
    return handle!
}
