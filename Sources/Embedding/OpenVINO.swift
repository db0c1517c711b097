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

    /// - Parameter cache: a folder where OpenVINO keeps what it has compiled; nil for none.
    init(
        file: String, manifest: ModelManifest, precision: Precision, threads: Int, cache: String?
    ) throws(ModelError) {
        self.manifest = manifest
        let core: OpaquePointer = try created("starting") { ov_core_create(&$0) }
        self.core = core
        var properties = [
            // As many streams as threads: each picture is computed by one core, so several are in flight and
            // the sums of one run in one order. Pinning would fight with the threads that decode.
            ("NUM_STREAMS", "\(threads)"),
            ("INFERENCE_NUM_THREADS", "\(threads)"),
            ("ENABLE_CPU_PINNING", "NO"),
        ]
        if precision == .f32 { properties.append(("INFERENCE_PRECISION_HINT", "f32")) }
        if let cache { properties.append(("CACHE_DIR", cache)) }
        do throws(ModelError) {
            let network = try Network(core: core, file: file).prepared(for: manifest)
            compiled = try network.compiled(on: core, properties: properties)
        } catch {
            Calls.all.release { ov_core_free(core) }
            throw error
        }
    }

    deinit {
        Calls.all.release {
            ov_compiled_model_free(compiled)
            ov_core_free(core)
        }
    }

    func makeRequest() throws(ModelError) -> InferenceRequest {
        let request: OpaquePointer = try created("making an inference request") {
            ov_compiled_model_create_infer_request(compiled, &$0)
        }
        return InferenceRequest(owning: request, of: self, manifest: manifest)
    }
}

/// One inference at a time, with its own input and output memory. For one thread.
final class InferenceRequest {
    private let request: OpaquePointer
    /// Keeps the network alive as long as its requests.
    private let network: CompiledNetwork
    private let manifest: ModelManifest

    init(owning request: OpaquePointer, of network: CompiledNetwork, manifest: ModelManifest) {
        (self.request, self.network, self.manifest) = (request, network, manifest)
    }

    deinit { Calls.all.release { ov_infer_request_free(request) } }

    /// The values of the model's output for one picture, pooled: `dimension` numbers.
    func infer(_ picture: Picture) throws(ModelError) -> [Float] {
        let (input, output) = (manifest.input, manifest.output)
        try withTensor(input.name) { (values) throws(ModelError) in
            let count = picture.width * picture.height
            guard values.count == 3 * count else {
                throw .openVINO(
                    doing: "filling the input \(input.name)", message: "it holds \(values.count) values")
            }
            let fill = input.layout == .nchw ? imgrec_planes : imgrec_interleaved
            fill(picture.pixels, count, input.planes, input.mean, input.scale, values.baseAddress!)
        }
        try check("running the network", ov_infer_request_infer(request))
        return try withTensor(output.name) { (values) throws(ModelError) in
            output.pooling.pooled(UnsafeBufferPointer(values), dimension: output.dimension)
        }
    }

    private func withTensor<Value>(
        _ name: String, _ body: (UnsafeMutableBufferPointer<Float>) throws(ModelError) -> Value
    ) throws(ModelError) -> Value {
        let tensor: OpaquePointer = try created("finding the tensor \(name)") {
            ov_infer_request_get_tensor(request, name, &$0)
        }
        defer { ov_tensor_free(tensor) }
        var data: UnsafeMutableRawPointer?
        var size = 0
        try check("measuring the tensor \(name)", ov_tensor_get_size(tensor, &size))
        try check("reading the tensor \(name)", ov_tensor_data(tensor, &data))
        return try body(
            UnsafeMutableBufferPointer(start: data!.assumingMemoryBound(to: Float.self), count: size))
    }
}

/// What OpenVINO this is: `2026.4.1-...`. What one has compiled another does not read.
func openVINOVersion() -> String {
    var version = ov_version_t()
    guard ov_get_openvino_version(&version) == OK else { return "unknown" }
    defer { ov_version_free(&version) }
    return String(cString: version.buildNumber)
}

extension NetworkInterface {
    /// Reads what a network's file says of its inputs and outputs.
    ///
    /// - Parameter shape: what an input is given; nil for none. Outputs depend on it.
    package init(file: String, shape: (input: String, dimensions: [Int])? = nil) throws(ModelError) {
        let core: OpaquePointer = try created("starting") { ov_core_create(&$0) }
        defer { Calls.all.release { ov_core_free(core) } }
        let network = try Network(core: core, file: file)
        if let shape { try network.reshape(shape.input, to: shape.dimensions, of: file) }
        self = try network.interface()
    }
}

/// A network as it was read from its file.
private struct Network: ~Copyable {
    private let model: OpaquePointer

    init(core: OpaquePointer, file: String) throws(ModelError) {
        model = try created("reading \(file)") { ov_core_read_model(core, file, nil, &$0) }
    }

    private init(owning model: OpaquePointer) { self.model = model }

    deinit { Calls.all.release { ov_model_free(model) } }

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

    /// The network with the input and output that the manifest describes: for one picture, and in float32.
    consuming func prepared(for manifest: ModelManifest) throws(ModelError) -> Network {
        func refuse(_ objection: NetworkInterface.Objection?) throws(ModelError) {
            guard let objection else { return }
            throw .wrongInterface(
                model: manifest.name, reason: objection.reason, remedy: objection.remedy)
        }
        var found = try interface()
        try refuse(found.objectionToInput(of: manifest))
        let shape = manifest.inputShape
        if found.inputs[0].dimensions != shape {
            try reshape(manifest.input.name, to: shape, of: manifest.name)
            found = try interface()
        }
        try refuse(found.objectionToOutput(of: manifest))
        let types =
            [found.inputs[0].type] + found.outputs.filter { $0.name == manifest.output.name }.map(\.type)
        return types.allSatisfy { $0 == "float32" } ? self : try converted(for: manifest)
    }

    /// - Parameter model: its name, for errors.
    borrowing func reshape(_ input: String, to shape: [Int], of model: String) throws(ModelError) {
        var partial = ov_partial_shape_t()
        try check(
            "making a shape",
            ov_partial_shape_create_static(Int64(shape.count), shape.map(Int64.init), &partial))
        defer { ov_partial_shape_free(&partial) }
        let status = Calls.all.tryOnce { ov_model_reshape_input_by_name(self.model, input, partial) }
        guard status == OK else {
            throw .wrongInterface(
                model: model, reason: "its input \(input) cannot be given the shape \(shape)")
        }
    }

    /// The network with conversions to and from float32 at its ends.
    private borrowing func converted(for manifest: ModelManifest) throws(ModelError) -> Network {
        let steps: OpaquePointer = try created("converting the network") {
            ov_preprocess_prepostprocessor_create(model, &$0)
        }
        defer { ov_preprocess_prepostprocessor_free(steps) }
        let input: OpaquePointer = try created("converting the input") {
            ov_preprocess_prepostprocessor_get_input_info_by_name(steps, manifest.input.name, &$0)
        }
        defer { ov_preprocess_input_info_free(input) }
        let inputTensor: OpaquePointer = try created("converting the input") {
            ov_preprocess_input_info_get_tensor_info(input, &$0)
        }
        defer { ov_preprocess_input_tensor_info_free(inputTensor) }
        try check("converting the input", ov_preprocess_input_tensor_info_set_element_type(inputTensor, F32))
        let output: OpaquePointer = try created("converting the output") {
            ov_preprocess_prepostprocessor_get_output_info_by_name(steps, manifest.output.name, &$0)
        }
        defer { ov_preprocess_output_info_free(output) }
        let outputTensor: OpaquePointer = try created("converting the output") {
            ov_preprocess_output_info_get_tensor_info(output, &$0)
        }
        defer { ov_preprocess_output_tensor_info_free(outputTensor) }
        try check("converting the output", ov_preprocess_output_set_element_type(outputTensor, F32))
        return Network(
            owning: try created("converting the network") {
                ov_preprocess_prepostprocessor_build(steps, &$0)
            })
    }

    // MARK: What it says of itself

    borrowing func interface() throws(ModelError) -> NetworkInterface {
        var (inputs, outputs) = (0, 0)
        try check("counting inputs", ov_model_inputs_size(model, &inputs))
        try check("counting outputs", ov_model_outputs_size(model, &outputs))
        return NetworkInterface(
            inputs: try ports(inputs) { ov_model_const_input_by_index(model, $0, &$1) },
            outputs: try ports(outputs) { ov_model_const_output_by_index(model, $0, &$1) })
    }

    private borrowing func ports(
        _ count: Int, _ find: (Int, inout OpaquePointer?) -> ov_status_e
    ) throws(ModelError) -> [NetworkInterface.Port] {
        var ports: [NetworkInterface.Port] = []
        for index in 0..<count {
            let port = try created("reading the network's ends") { find(index, &$0) }
            defer { ov_output_const_port_free(port) }
            var name: UnsafeMutablePointer<CChar>?
            // A port need not have a name.
            let isNamed = Calls.all.tryOnce { ov_port_get_any_name(port, &name) } == OK
            defer { if isNamed { ov_free(name) } }
            var type = DYNAMIC
            try check("reading a type", ov_port_get_element_type(port, &type))
            var shape = ov_partial_shape_t()
            try check("reading a shape", ov_port_get_partial_shape(port, &shape))
            defer { ov_partial_shape_free(&shape) }
            let dimensions: [Int?]? =
                ov_rank_is_dynamic(shape.rank)
                ? nil
                : UnsafeBufferPointer(start: shape.dims, count: Int(shape.rank.max)).map {
                    ov_dimension_is_dynamic($0) ? nil : Int($0.max)
                }
            ports.append(
                NetworkInterface.Port(
                    name: isNamed ? name.map { String(cString: $0) } ?? "" : "", type: typeName(type),
                    dimensions: dimensions))
        }
        return ports
    }

    private func typeName(_ type: ov_element_type_e) -> String {
        switch type {
        case F32: "float32"
        case F16: "float16"
        case BF16: "bfloat16"
        case F64: "float64"
        case I64: "int64"
        case I32: "int32"
        case U8: "uint8"
        case I8: "int8"
        case STRING: "string"
        default: "number \(type.rawValue) of OpenVINO's types"
        }
    }
}

// MARK: Status codes

/// Keeps what OpenVINO says of a failure with the call that failed. Its C binding has one text for the whole process, which
/// the next failure on any thread replaces and nothing clears: so a call that failed is made once more while no other is
/// under way, and what is said then is of this one.
///
/// Calls are made side by side (a reader each); one that is made again is made alone (the writer).
private final class Calls: Sendable {
    // Initialised once and never moved or copied: pthread(3) functions alone use it.
    nonisolated(unsafe) private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

    static let all = Calls()

    private init() {
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        // Else a call that failed would wait as long as others follow each other.
        pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        let status = pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
        precondition(status == 0, "there is no lock: \(errnoText(status))")
    }

    /// Makes a call that may fail without anything being wrong.
    func tryOnce(_ call: () -> ov_status_e) -> ov_status_e {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return call()
    }

    /// Gives something back: not beside a call that is made again alone to hear why it fails.
    func release(_ call: () -> Void) {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        call()
    }

    /// Makes a call: what it came to, and where it failed twice what OpenVINO says of that.
    func make(_ call: () -> ov_status_e) -> (status: ov_status_e, message: String) {
        pthread_rwlock_rdlock(lock)
        let first = call()
        pthread_rwlock_unlock(lock)
        guard first != OK else { return (OK, "") }
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        let status = call()
        // Of a wrong parameter it says nothing, and the text is still that of an earlier failure.
        guard status != OK, status != INVALID_C_PARAM, let text = ov_get_last_err_msg() else {
            return (status, "")
        }
        defer { ov_free(text) }
        return (status, String(cString: text))
    }
}

private func check(
    _ doing: @autoclosure () -> String, _ call: @autoclosure () -> ov_status_e
) throws(ModelError) {
    let (status, message) = Calls.all.make(call)
    guard status == OK else {
        throw .openVINO(doing: doing(), message: message.isEmpty ? "status \(status.rawValue)" : message)
    }
}

private func created(
    _ doing: @autoclosure () -> String, _ create: (inout OpaquePointer?) -> ov_status_e
) throws(ModelError) -> OpaquePointer {
    var handle: OpaquePointer?
    try check(doing(), create(&handle))
    return handle!
}
