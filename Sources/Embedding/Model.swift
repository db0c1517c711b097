import Foundation
import Products

/// A model's folder whose files have been checked; the network is not loaded yet.
package struct ModelSource: Hashable, Sendable {
    /// How numbers are rounded inside the network.
    package enum Precision: String, Hashable, Sendable, CaseIterable {
        /// Single precision: the same bits on every run.
        case f32
        /// What the CPU does fastest, bfloat16 where it has it.
        case auto
    }

    package let manifest: ModelManifest
    package let precision: Precision

    /// What vectors depend on: the weights, the manifest, the precision and how photos are read. Vectors of
    /// different identities are not comparable.
    package let identity: ContentDigest

    private let file: String

    /// Reads a model's folder and checks the network's SHA-256.
    ///
    /// - Parameter reading: what changes when the same photo is read to other pixels.
    package init(folder: String, precision: Precision, reading: String) throws(ModelError) {
        let manifest = try ModelManifest(folder: folder)
        file = "\(folder)/\(manifest.file)"
        guard let content = try? Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe) else {
            throw .missingFile(file: file)
        }
        let digest = ContentDigest(of: content)
        guard digest == manifest.sha256 else {
            throw .damaged(file: file, expected: "\(manifest.sha256)", found: "\(digest)")
        }
        self.manifest = manifest
        self.precision = precision
        // OpenVINO IR keeps its weights in a second file of the same name.
        var weights = "none"
        if file.hasSuffix(".xml") {
            let binary = file.dropLast(3) + "bin"
            guard
                let content = try? Data(
                    contentsOf: URL(fileURLWithPath: String(binary)), options: .mappedIfSafe)
            else {
                throw .missingFile(file: String(binary))
            }
            weights = "\(ContentDigest(of: content))"
        }
        identity = ContentDigest(
            of: "\(digest) \(weights) \(manifest.digest) \(precision.rawValue) \(reading)".utf8)
    }

    /// Compiles the network for this CPU, which takes a good part of a second.
    ///
    /// - Parameter threads: how many cores inference may use.
    package func load(threads: Int) throws(ModelError) -> Model {
        Model(
            manifest: manifest,
            network: try CompiledNetwork(
                file: file, manifest: manifest, precision: precision, threads: threads))
    }
}

/// A network that is loaded and ready to embed.
package final class Model: Sendable {
    package let manifest: ModelManifest
    private let network: CompiledNetwork

    init(manifest: ModelManifest, network: CompiledNetwork) {
        self.manifest = manifest
        self.network = network
    }

    /// A lane of this model for one thread.
    package func makeLane() throws(ModelError) -> EmbeddingLane {
        EmbeddingLane(manifest: manifest, request: try network.makeRequest())
    }
}

/// Embeds one picture at a time; several lanes run side by side. Not for use by two threads at once.
package struct EmbeddingLane: ~Copyable {
    private let manifest: ModelManifest
    private let request: InferenceRequest

    init(manifest: ModelManifest, request: consuming InferenceRequest) {
        self.manifest = manifest
        self.request = request
    }

    /// The embedding of a picture of the model's size. Waits until inference is done.
    ///
    /// - Throws: `EmbeddingError`.
    package borrowing func embed(_ picture: Picture) throws(EmbeddingError) -> Embedding {
        precondition(picture.width == manifest.shape.width && picture.height == manifest.shape.height)
        let features: [Float]
        do throws(ModelError) {
            features = try request.infer(picture, input: manifest.input)
        } catch {
            throw .inference(error)
        }
        do throws(Embedding.Failure) {
            return try Embedding(normalizing: features)
        } catch {
            throw .noDirection(error)
        }
    }
}

/// Why one picture has no embedding.
package enum EmbeddingError: Error, Hashable, CustomStringConvertible {
    /// The picture's own fault: another picture may fare better.
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
