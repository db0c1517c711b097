// Publishing: ranked products in, JSON documents, their index and the review page out.
//
// What a reader may rely on: every file is whole at every moment (written aside, flushed, renamed); a file
// whose bytes would not change is not touched; the index is written last; no file is written or removed outside
// the output folder, whatever a product is called; and a folder with files of somebody else's is refused.

import Foundation
import Products

/// Brings the output folder to a state, file by file. One at a time for an output folder.
///
/// Call `stage` for each product, then `finish` once.
package struct Publisher: ~Copyable {
    package struct Outcome: Hashable, Sendable {
        package var written = 0
        package var unchanged = 0
        package var removed = 0
    }

    /// Files that wait between being written aside and being renamed; each flush waits for the disk once.
    private static let stagedAtMost = 512

    /// The products that the index on disk names, for a catalogue that does not know them.
    package let indexedProducts: [ProductID]

    private var folder: OutputFolder
    private let model: String
    private var entries: [Index.Entry] = []
    private var staged: [(name: String, target: [String])] = []
    private var stagedCount = 0
    private var outcome = Outcome()

    /// Opens the output folder, and makes it where it is missing.
    ///
    /// - Parameter hasPublished: whether the catalogue knows of files here; otherwise only an index tells that
    ///   files are ours.
    /// - Throws: `PublishingError`, among others where the folder holds files of somebody else's.
    package init(folder path: String, model: String, hasPublished: Bool) throws(PublishingError) {
        var folder = try OutputFolder(path: path)
        try folder.emptyStaging()
        let bytes = try folder.read([Index.fileName])
        guard let products = bytes.map(Index.products) ?? [] else { throw .foreignIndex(folder: path) }
        if bytes == nil && !hasPublished, try folder.hasFiles(in: OutputPath.folder) {
            throw .foreignProducts(folder: path)
        }
        indexedProducts = products
        self.folder = folder
        self.model = model
    }

    /// Writes a product's document aside, if its bytes differ from those on disk.
    ///
    /// - Returns: the digest of its bytes.
    package mutating func stage(_ document: ProductDocument) throws(PublishingError) -> ContentDigest {
        let bytes = document.json(model: model)
        let path = OutputPath(of: document.product)
        let digest = ContentDigest(of: bytes)
        entries.append(Index.Entry(product: document.product, file: path.relative, digest: digest))
        try stage(bytes, at: path.components)
        return digest
    }

    /// Renames what is staged, removes the files of products that are gone, and writes the index.
    package mutating func finish(removing gone: [ProductID]) throws(PublishingError) -> Outcome {
        try flush()
        for product in gone {
            if try folder.remove(OutputPath(of: product).components) { outcome.removed += 1 }
        }
        entries.sort { $0.product < $1.product }
        let before = outcome
        try stage(Index.json(model: model, entries: entries), at: [Index.fileName])
        try flush()
        try folder.removeStaging()
        // The counts are of products; the index comes on top.
        (outcome.written, outcome.unchanged) = (before.written, before.unchanged)
        return outcome
    }

    private mutating func stage(_ bytes: [UInt8], at path: [String]) throws(PublishingError) {
        if try folder.read(path, atMost: bytes.count + 1) == bytes {
            outcome.unchanged += 1
            return
        }
        stagedCount += 1
        let name = "\(stagedCount)"
        try folder.writeStaged(name, bytes)
        staged.append((name, path))
        outcome.written += 1
        if staged.count == Self.stagedAtMost { try flush() }
    }

    /// Flushes the staged files to the disk together, then renames them: a file that has its name has its bytes,
    /// even after a power cut.
    private mutating func flush() throws(PublishingError) {
        guard !staged.isEmpty else { return }
        try folder.synchronize()
        for (name, target) in staged { try folder.publishStaged(name, at: target) }
        staged.removeAll(keepingCapacity: true)
    }
}
