import Products

/// Networks that are loaded and ready to embed: one, or several that are one model.
package final class Model: Sendable {
    struct Part: Sendable {
        let manifest: ModelManifest
        /// How much its vector counts beside those of the others.
        let weight: Double
        let network: CompiledNetwork
    }

    private let parts: [Part]

    init(parts: [Part]) { self.parts = parts }

    /// A lane of this model for one thread.
    package func makeLane() throws(ModelError) -> EmbeddingLane {
        var requests: [InferenceRequest] = []
        for part in parts { requests.append(try part.network.makeRequest()) }
        return EmbeddingLane(parts: parts, requests: requests)
    }
}

/// Embeds one photo at a time; several lanes run side by side. Not for use by two threads at once.
package struct EmbeddingLane: ~Copyable {
    private let parts: [Model.Part]
    private let requests: [InferenceRequest]

    init(parts: [Model.Part], requests: [InferenceRequest]) {
        (self.parts, self.requests) = (parts, requests)
    }

    /// The embedding of a photo. Waits until inference is done.
    ///
    /// Of several networks the unit vectors, each times its weight, stand after each other: the cosine similarity of two
    /// photos is then the mean of the networks' similarities, weighted with the squares of the weights.
    ///
    /// - Parameter pictures: one of the size of each network, in their order.
    /// - Throws: `EmbeddingError`.
    package borrowing func embed(_ pictures: [Picture]) throws(EmbeddingError) -> Embedding {
        precondition(pictures.count == parts.count)
        guard parts.count > 1 else { return try embedding(of: pictures[0], 0) }
        var values: [Float] = []
        for (index, picture) in pictures.enumerated() {
            let part = try embedding(of: picture, index)
            values += part.values.map { Float(Double($0) * parts[index].weight) }
        }
        return try Self.normalized(values)
    }

    /// The lengths of the networks' vectors before they are scaled to 1.
    ///
    /// - Throws: `ModelError`.
    package borrowing func norms(of pictures: [Picture]) throws(ModelError) -> [Double] {
        var norms: [Double] = []
        for (index, picture) in pictures.enumerated() {
            let squares = try requests[index].infer(picture).reduce(0.0) { $0 + Double($1) * Double($1) }
            norms.append(squares.squareRoot())
        }
        return norms
    }

    private borrowing func embedding(of picture: Picture, _ index: Int) throws(EmbeddingError) -> Embedding {
        let shape = parts[index].manifest.shape
        precondition(picture.width == shape.width && picture.height == shape.height)
        let values: [Float]
        do throws(ModelError) {
            values = try requests[index].infer(picture)
        } catch {
            throw .inference(error)
        }
        return try Self.normalized(values)
    }

    private static func normalized(_ values: [Float]) throws(EmbeddingError) -> Embedding {
        do throws(Embedding.Failure) {
            return try Embedding(normalizing: values)
        } catch {
            throw .noDirection(error)
        }
    }
}

/// Why one photo has no embedding.
package enum EmbeddingError: Error, Hashable, CustomStringConvertible {
    /// The photo's own fault: another may fare better.
    case noDirection(Embedding.Failure)
    /// The network could not run.
    case inference(ModelError)

    package var description: String {
        switch self {
        case .noDirection(let failure): failure.description
        case .inference(let error): error.description
        }
    }
}
