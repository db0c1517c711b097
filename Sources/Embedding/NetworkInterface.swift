/// What a network's file says of its inputs and outputs.
package struct NetworkInterface: Hashable, Sendable {
    package struct Port: Hashable, Sendable {
        /// Empty where it has none.
        package let name: String
        /// As in `float32`.
        package let type: String
        /// Nil for one that may have any size; nil in all for a number of dimensions that is not fixed.
        package let dimensions: [Int?]?

        package init(name: String, type: String, dimensions: [Int?]?) {
            (self.name, self.type, self.dimensions) = (name, type, dimensions)
        }

        /// `float32 [?, 3, 224, 224]`.
        package var text: String {
            let sizes = dimensions.map { $0.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") }
            return "\(type) [\(sizes ?? "of any rank")]"
        }

        package var isFloating: Bool { Self.floatingTypes.contains(type) }

        private static let floatingTypes: Set = ["float32", "float16", "bfloat16", "float64"]
    }

    package let inputs: [Port]
    package let outputs: [Port]

    package init(inputs: [Port], outputs: [Port]) {
        (self.inputs, self.outputs) = (inputs, outputs)
    }
}

extension NetworkInterface {
    /// Why a network does not fit its manifest, and what helps.
    struct Objection {
        let reason: String
        var remedy: String?
    }

    /// Why a network cannot take the pictures that its manifest describes; nil where it can, though perhaps only once its
    /// sizes that are not fixed are.
    func objectionToInput(of manifest: ModelManifest) -> Objection? {
        let name = manifest.input.name
        guard let input = inputs.first(where: { $0.name == name }) else {
            return Objection(reason: "it has no input named \(name)\(Self.choice(inputs))")
        }
        guard inputs.count == 1 else {
            let others = inputs.filter { $0.name != name }.map { "\($0.name), \($0.text)" }
            return Objection(
                reason: "it wants more than a picture (\(others.joined(separator: "; ")))",
                remedy: "Export the image part alone.")
        }
        guard let dimensions = input.dimensions else {
            return Objection(
                reason: "its input \(name) has no fixed number of dimensions",
                remedy: "Export it with the shape \(manifest.inputShape).")
        }
        let wanted = manifest.inputShape
        let isPossible =
            dimensions.count == 4
            && zip(dimensions.dropFirst(), wanted.dropFirst()).allSatisfy { $0 == nil || $0 == $1 }
        if isPossible { return nil }
        return Objection(
            reason: "its input \(name) has the shape \(Self.text(dimensions)), not \(wanted)")
    }

    /// Why a network does not give the output that its manifest describes; nil where it does.
    func objectionToOutput(of manifest: ModelManifest) -> Objection? {
        let (name, dimension) = (manifest.output.name, manifest.output.dimension)
        guard let output = outputs.first(where: { $0.name == name }) else {
            return Objection(reason: "it has no output named \(name)\(Self.choice(outputs))")
        }
        guard output.isFloating else {
            return Objection(
                reason:
                    "its output \(name) is of type \(output.type), and an embedding is of floating-point numbers"
            )
        }
        guard let dimensions = output.dimensions else {
            return Objection(reason: "its output \(name) has no fixed number of dimensions")
        }
        let fixed = dimensions.compactMap { $0 }
        guard fixed.count == dimensions.count else {
            return Objection(
                reason:
                    "its output \(name) has the shape \(Self.text(dimensions)), of which not all sizes are fixed"
            )
        }
        return manifest.output.pooling.objection(to: fixed, dimension: dimension).map {
            Objection(reason: "its output \(name) has the shape \(fixed), not \($0)")
        }
    }

    private static func choice(_ ports: [Port]) -> String {
        let names = ports.map(\.name).filter { !$0.isEmpty }
        return names.isEmpty ? "" : "; it has \(names.joined(separator: ", "))"
    }

    private static func text(_ dimensions: [Int?]) -> String {
        "[\(dimensions.map { $0.map(String.init) ?? "?" }.joined(separator: ", "))]"
    }
}

extension ModelManifest {
    /// One picture, as the network takes it.
    var inputShape: [Int] {
        input.layout == .nchw ? [1, 3, shape.height, shape.width] : [1, shape.height, shape.width, 3]
    }
}
