import Foundation
import Products

/// A model whose files have been checked, or several that are one; the networks are not loaded yet.
package struct ModelSource: Hashable, Sendable {
    /// What a model is made of, by names: enough to find it again.
    package struct Recipe: Codable, Hashable, Sendable {
        package struct Part: Codable, Hashable, Sendable {
            /// The name of a model's folder.
            package let name: String
            /// How much its vector counts beside those of the others.
            package let weight: Double
            /// The picture that it gets, which the settings may have changed.
            package let shape: PictureShape

            package init(name: String, weight: Double, shape: PictureShape) {
                (self.name, self.weight, self.shape) = (name, weight, shape)
            }
        }

        package let parts: [Part]
        package let precision: Precision

        package init(parts: [Part], precision: Precision) {
            (self.parts, self.precision) = (parts, precision)
        }
    }

    struct Member: Hashable, Sendable {
        let manifest: ModelManifest
        let file: String
        let weight: Double
        /// Of the network's files.
        let digests: [ContentDigest]
        /// Of all of them.
        let content: ContentDigest
        /// How many these are.
        let bytes: Int
    }

    package let recipe: Recipe
    let members: [Member]

    /// What vectors depend on: the weights, the manifest's meaning, the precision and how photos are read. Vectors of
    /// different identities are not comparable.
    package let identity: ContentDigest

    /// Finds the folders of a recipe's parts and checks the networks' SHA-256.
    ///
    /// - Parameter readerVersion: changes when the same photo is read to other pixels.
    package init(_ recipe: Recipe, in library: ModelLibrary, readerVersion: Int) throws(ModelError) {
        precondition(!recipe.parts.isEmpty)
        var members: [Member] = []
        for part in recipe.parts {
            members.append(try Member(folder: try library.folder(of: part.name), weight: part.weight))
        }
        self.recipe = recipe
        self.members = members
        let identities = zip(members, recipe.parts).map { member, part in
            ContentDigest(
                of:
                    "\(member.content) \(member.manifest.meaning) \(recipe.precision.rawValue) \(readerVersion) \(part.shape)"
                    .utf8)
        }
        guard identities.count > 1 else {
            identity = identities[0]
            return
        }
        let weighted = zip(identities, members).map { "\($0) \($1.weight)" }
        identity = ContentDigest(of: weighted.joined(separator: "\n").utf8)
    }

    /// A model by itself, with the picture that it was made for.
    package init(named name: String, in library: ModelLibrary, precision: Precision, readerVersion: Int)
        throws(ModelError)
    {
        let manifest = try ModelManifest(folder: try library.folder(of: name))
        let part = Recipe.Part(name: name, weight: 1, shape: manifest.shape)
        try self.init(Recipe(parts: [part], precision: precision), in: library, readerVersion: readerVersion)
    }

    package var precision: Precision { recipe.precision }
    /// As it is published: `a`, or `a+b` of several.
    package var name: String { members.map(\.manifest.name).joined(separator: "+") }
    package var manifests: [ModelManifest] { members.map(\.manifest) }
    /// How many values an embedding has.
    package var dimension: Int { members.reduce(0) { $0 + $1.manifest.dimension } }
    /// The pictures of a photo that `EmbeddingLane` wants.
    package var shapes: [PictureShape] { recipe.parts.map(\.shape) }
    /// The bytes of the networks' files.
    package var fileBytes: Int { members.reduce(0) { $0 + $1.bytes } }

    /// Compiles the networks for this CPU, which takes a good part of a second.
    ///
    /// - Parameters:
    ///   - threads: how many cores inference may use.
    ///   - cache: where what is compiled is kept; nil for nowhere.
    package func load(threads: Int, cache: NetworkCache? = nil) throws(ModelError) -> Model {
        var parts: [Model.Part] = []
        for member in members {
            func compile(cache folder: String?) throws(ModelError) -> CompiledNetwork {
                try CompiledNetwork(
                    file: member.file, manifest: member.manifest, precision: precision, threads: threads,
                    cache: folder)
            }
            let network: CompiledNetwork
            if let cache {
                let key =
                    "\(member.content) \(member.manifest.meaning) \(threads) \(openVINOVersion()) \(precision.rawValue)"
                network = try cache.load(
                    "\(member.manifest.name)-\(precision.rawValue)", bytes: member.bytes,
                    key: ContentDigest(of: key.utf8), compile)
            } else {
                network = try compile(cache: nil)
            }
            // Somebody may have put another in its place since it was looked at.
            guard try ModelFiles.read(member.file).digests == member.digests else {
                throw .notAsItWas(name: member.manifest.name)
            }
            parts.append(Model.Part(manifest: member.manifest, weight: member.weight, network: network))
        }
        return Model(parts: parts)
    }
}

extension ModelSource.Member {
    fileprivate init(folder: String, weight: Double) throws(ModelError) {
        manifest = try ModelManifest(folder: folder)
        file = "\(folder)/\(manifest.file)"
        self.weight = weight
        let (digests, size) = try ModelFiles.read(file)
        let expected = [manifest.sha256, manifest.weightsSHA256 ?? digests.last]
        for (index, file) in ModelFiles.all(of: file).enumerated() {
            if let expected = expected[index], expected != digests[index] {
                throw .damaged(file: file, expected: "\(expected)", found: "\(digests[index])")
            }
        }
        bytes = size
        self.digests = digests
        content =
            digests.count == 1
            ? digests[0] : ContentDigest(of: digests.map(\.description).joined(separator: " ").utf8)
    }
}

/// The files that a network lies in.
package enum ModelFiles {
    /// OpenVINO IR keeps its weights in a second file of the same name, and so does ONNX that is too large for one, under
    /// one of the names that exporters give it.
    package static func all(of file: String) -> [String] {
        if file.hasSuffix(".xml") { return [file, "\(file.dropLast(3))bin"] }
        let names = ["\(file).data", "\(file)_data"]
        return [file] + names.filter { FileManager.default.fileExists(atPath: $0) }.prefix(1)
    }

    /// The SHA-256 of each of a network's files, and the bytes that they have together.
    package static func read(_ file: String) throws(ModelError) -> (digests: [ContentDigest], bytes: Int) {
        var digests: [ContentDigest] = []
        var size = 0
        for file in all(of: file) {
            guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe) else {
                throw .missingFile(file: file)
            }
            digests.append(ContentDigest(of: bytes))
            size += bytes.count
        }
        return (digests, size)
    }
}
