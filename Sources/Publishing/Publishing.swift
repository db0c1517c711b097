// Publishing: ranked products in, JSON documents, their index and the review page out.
//
// What a reader may rely on: every file is whole at every moment (written aside, flushed, renamed); a file
// whose bytes would not change is not touched; the index is written last; no file is written or removed outside
// the output folder, whatever a product is called; and a folder with files of somebody else's is refused.

import Foundation
import Products

/// Brings the output folder to a state, file by file. One at a time for an output folder.
///
/// Call `stage` or `remove` for each product that may have changed, then `finish`; as often as there are changes.
package final class Publisher {
    package struct Outcome: Hashable, Sendable {
        package var written = 0
        package var unchanged = 0
        package var removed = 0
        package var isIndexNew = false
    }

    /// Files that wait between being written aside and being renamed.
    private static let usuallyStaged = 512
    /// And where there is little room.
    private static let fewStaged = 16
    private var stagedAtMost = usuallyStaged
    private var folder: OutputFolder
    private var model: String
    private var index: Index
    /// Whether the files on disk are of another model. Then all are written aside and take their place at once, so that
    /// no reader meets lists of two models.
    package private(set) var isOfOtherModel: Bool
    /// The paths of all files that were or are ours, while those of another model are replaced.
    private var ours: Set<String> = []
    private var indexedProducts: [ProductID]
    private var staged: [(name: String, target: [String])] = []
    private var gone: Set<OutputPath> = []
    private var stagedCount = 0
    private var outcome = Outcome()

    /// Opens the output folder, and makes it where it is missing.
    ///
    /// - Parameters:
    ///   - isOfOtherModel: whether the files are known to be of another model, though its name may be the same.
    ///   - published: the products that are known to have a file here, with its digest, in the order of
    ///   their ids; where there is none, only an index tells that files are ours.
    /// - Throws: `PublishingError`, among others where the folder holds files of somebody else's.
    package init(
        folder path: String, model: String, published: [(product: ProductID, digest: ContentDigest?)],
        isOfOtherModel: Bool = false
    )
        throws(PublishingError)
    {
        var folder = try OutputFolder(path: path)
        // There is a tree only where a change of model was interrupted.
        var ours: Set<String>?
        try folder.removeTree { path in
            let known = ours ?? Set(published.map { OutputPath(of: $0.product).relative })
            ours = known
            return known.contains(path)
        }
        try folder.emptyStaging()
        let bytes = try folder.read([Index.fileName])
        let index = Index(published.compactMap { product, digest in digest.map { (product, $0) } })
        // An index that is as it was left, as most are, names nothing new.
        let isAsLeft = bytes.map { $0 == index.json(model: model) } ?? false
        guard let products = isAsLeft ? [] : bytes.map(Index.products) ?? [] else {
            throw .foreignIndex(folder: path)
        }
        if bytes == nil && published.isEmpty, try folder.hasFiles(in: OutputPath.folder) {
            throw .foreignProducts(folder: path)
        }
        indexedProducts = products
        let hasOtherName = bytes.map { !$0.starts(with: Index.head(model: model)) } ?? false
        self.isOfOtherModel = hasOtherName || isOfOtherModel && bytes != nil
        self.folder = folder
        self.model = model
        self.index = index
    }

    /// From now on documents are of another model; all are to be staged next.
    package func change(to model: String) {
        isOfOtherModel = true
        self.model = model
    }

    /// Gives up putting all documents in place at once: they replace those of another model one by one.
    package func replaceOneByOne() throws(PublishingError) {
        let ours = ours.union(index.paths)
        try folder.removeTree { ours.contains($0) }
        try folder.emptyStaging()
        isOfOtherModel = false
        outcome = Outcome()
        stagedAtMost = Self.fewStaged
    }

    /// The products that the index on disk named when the folder was opened, for a catalogue that does not know
    /// them; asked again, none.
    package func takeIndexedProducts() -> [ProductID] {
        defer { indexedProducts = [] }
        return indexedProducts
    }

    /// Whether the output folder is still the one that was opened: somebody may have replaced it.
    package var isInPlace: Bool { folder.isInPlace }

    /// Throws where nothing could be published now.
    package func checkMayWrite() throws(PublishingError) {
        try folder.makeStaging()
        try folder.removeStaging()
        folder.forgetLatest()
    }

    /// Empties the index: every product is going to be staged.
    package func beginAnew() {
        if isOfOtherModel { ours = index.paths }
        index = Index([])
    }

    /// Writes a product's document aside, if its bytes differ from those on disk.
    ///
    /// - Returns: the digest of its bytes.
    package func stage(_ document: ProductDocument) throws(PublishingError) -> ContentDigest {
        let bytes = document.json(model: model)
        let digest = ContentDigest(of: bytes)
        index.set(document.product, digest)
        let path = OutputPath(of: document.product)
        gone.remove(path)
        if isOfOtherModel {
            try folder.makeStaging()
            try folder.writeAside(bytes, at: path)
            outcome.written += 1
            return digest
        }
        if try stage(bytes, at: path.components) {
            outcome.written += 1
        } else {
            outcome.unchanged += 1
        }
        if staged.count >= stagedAtMost { try flush() }
        return digest
    }

    /// Notes that a product has no file any more.
    package func remove(_ product: ProductID) {
        index.remove(product)
        gone.insert(OutputPath(of: product))
    }

    /// Renames what is staged, removes the files of products that are gone, and then replaces the index.
    package func finish() throws(PublishingError) -> Outcome {
        if isOfOtherModel { return try exchange() }
        let indexBytes = index.json(model: model)
        outcome.isIndexNew = try stage(indexBytes, at: [Index.fileName])
        let stagedIndex = outcome.isIndexNew ? staged.popLast() : nil
        try flush(with: stagedIndex?.name)
        for path in gone where try folder.remove(path.components) { outcome.removed += 1 }
        gone = []
        if let stagedIndex { try folder.publishStaged(stagedIndex.name, at: stagedIndex.target) }
        try folder.removeStaging()
        folder.forgetLatest()
        stagedCount = 0
        stagedAtMost = Self.usuallyStaged
        defer { outcome = Outcome() }
        return outcome
    }

    /// Puts all documents of the model in the place of those of another, and the index at once behind them.
    private func exchange() throws(PublishingError) -> Outcome {
        try folder.makeStaging()
        let indexName = "index"
        try folder.writeStaged(indexName, index.json(model: model))
        let documents = index.paths
        if try !folder.exchangeTrees() {
            for document in index.outputPaths { try folder.publishAside(document) }
            for path in gone { _ = try folder.remove(path.components) }
        }
        try folder.publishStaged(indexName, at: [Index.fileName])
        outcome.isIndexNew = true
        outcome.removed = ours.subtracting(documents).union(gone.map(\.relative)).count
        let ours = ours.union(documents).union(gone.map(\.relative))
        try folder.removeTree { ours.contains($0) }
        try folder.removeStaging()
        folder.forgetLatest()
        isOfOtherModel = false
        self.ours = []
        gone = []
        defer { outcome = Outcome() }
        return outcome
    }

    /// Writes bytes aside if they are not those on disk. Returns whether it did.
    private func stage(_ bytes: [UInt8], at path: [String]) throws(PublishingError) -> Bool {
        if try folder.read(path, atMost: bytes.count + 1) == bytes { return false }
        stagedCount += 1
        let name = "\(stagedCount)"
        try folder.writeStaged(name, bytes)
        staged.append((name, path))
        return true
    }

    /// Flushes the staged files to the disk together, then renames them: a file that has its name has its bytes,
    /// even after a power cut.
    private func flush(with other: String? = nil) throws(PublishingError) {
        guard !staged.isEmpty || other != nil else { return }
        try folder.synchronize(staged.map(\.name) + (other.map { [$0] } ?? []))
        for (name, target) in staged { try folder.publishStaged(name, at: target) }
        staged.removeAll(keepingCapacity: true)
    }
}
