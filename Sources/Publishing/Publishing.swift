// Publishing: ranked products in, JSON documents, their index and the review page out.
//
// What a reader may rely on: every file is whole at every moment (written aside, flushed, renamed); a file
// whose bytes would not change is not touched; the index is written last; no file is written or removed outside
// the output folder, whatever a product is called; and a folder with files of somebody else's is refused.

import Files
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
    package static let usuallyStaged = 512
    /// And where there is little room.
    private static let fewStaged = 16
    private let usuallyStaged: Int
    private var stagedAtMost: Int
    private var folder: OutputFolder
    private var model: String
    private let form: OutputForm
    private var index: Index
    /// The lines of the file of all products, in the order of the ids, where there is one.
    private var lines: [(product: ProductID, line: [UInt8])] = []
    /// Whether the files on disk are of another model. Then all are written aside and take their place at once, so that
    /// no reader meets lists of two models.
    package private(set) var isOfOtherModel: Bool
    /// The paths of all files that were or are ours, while those of another model are replaced.
    private var ours: Set<OutputPath> = []
    private var indexedProducts: [ProductID]
    private var staged: [(name: String, target: [String])] = []
    private var gone: Set<OutputPath> = []
    /// Files of ours that lie where another layout has them.
    private var misplaced: Set<OutputPath>
    /// Whether products' files get other places than they had.
    package var isMoving: Bool { !misplaced.isEmpty }
    /// Whether the component that lies here may be ours.
    private var hadComponent: Bool
    private var stagedCount = 0
    private var outcome = Outcome()

    /// Opens the output folder, makes it where it is missing, and removes what an interrupted run left aside.
    ///
    /// - Parameters:
    ///   - usuallyStaged: how many files wait between being written aside and being renamed.
    ///   - files: the calls to the file system.
    /// - Throws: `PublishingError`, among others where the folder holds files of somebody else's.
    package init(
        folder path: String, model: String, form: OutputForm, known: KnownOutput,
        usuallyStaged: Int = usuallyStaged, files: any FileCalls = SystemFiles()
    ) throws(PublishingError) {
        var folder = try OutputFolder(path: path, files: files)
        try known.removeLeftovers(in: &folder, form)
        let found = try OutputInventory(&folder, model: model, form: form, known)
        self.folder = folder
        (self.model, self.form, self.usuallyStaged) = (model, form, usuallyStaged)
        (index, indexedProducts, misplaced) = (found.index, found.indexedProducts, found.misplaced)
        isOfOtherModel = found.isOfOtherModel
        hadComponent = OutputForm.hasComponent(in: known.parts)
        stagedAtMost = usuallyStaged
    }

    /// Whether a change of one product is one of the file of all.
    package var isOneFile: Bool { form.layout == .single }

    /// From now on documents are of another model; all are to be staged next.
    package func change(to model: String) {
        isOfOtherModel = true
        self.model = model
    }

    /// Gives up putting all documents in place at once: they replace those of another model one by one.
    package func replaceOneByOne() throws(PublishingError) {
        let ours = Set(ours.union(index.outputPaths).map(\.name))
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
        if isOfOtherModel { ours = misplaced.union(index.outputPaths) }
        index = Index([], form: form)
        lines = []
    }

    /// Writes a product's document aside, if its bytes differ from those on disk.
    ///
    /// - Returns: the digest of its bytes, and whether they are not those on disk; where one file has all products, the
    ///   digest of its line, and nothing is known of the disk yet.
    package func stage(_ document: ProductDocument) throws(PublishingError) -> (
        digest: ContentDigest, isWritten: Bool
    ) {
        guard !isOneFile else {
            let line = document.line(form: form)
            lines.append((document.product, line))
            return (ContentDigest(of: line), false)
        }
        let bytes = document.json(model: model, form: form)
        let digest = ContentDigest(of: bytes)
        index.set(document.product, digest)
        let path = OutputPath(of: document.product, in: form.layout)
        gone.remove(path)
        if isOfOtherModel {
            try folder.makeStaging()
            try folder.writeAside(bytes, at: path)
            outcome.written += 1
            return (digest, true)
        }
        let isWritten = try stage(bytes, at: path.components)
        if isWritten { outcome.written += 1 } else { outcome.unchanged += 1 }
        if staged.count >= stagedAtMost { try flush() }
        return (digest, isWritten)
    }

    /// The digest that staging a document gives.
    package func digest(of document: ProductDocument) -> ContentDigest {
        ContentDigest(
            of: isOneFile ? document.line(form: form) : document.json(model: model, form: form))
    }

    /// Notes that a product has no file any more.
    package func remove(_ product: ProductID) {
        guard !isOneFile else { return }
        index.remove(product)
        gone.insert(OutputPath(of: product, in: form.layout))
    }

    /// Renames what is staged, removes the files of products that are gone, and then replaces the index.
    package func finish() throws(PublishingError) -> Outcome {
        if isOneFile { try stageAll() } else if isOfOtherModel { return try exchange() }
        try stageComponent()
        let indexBytes = index.json(model: model)
        outcome.isIndexNew = try stage(indexBytes, at: [Index.fileName])
        let stagedIndex = outcome.isIndexNew ? staged.popLast() : nil
        try flush(with: stagedIndex?.name)
        for path in gone where try folder.remove(path.components) { outcome.removed += 1 }
        if let stagedIndex { try folder.publishStaged(stagedIndex.name, at: stagedIndex.target) }
        gone = []
        try removeMisplaced()
        try folder.removeStaging()
        folder.forgetLatest()
        stagedCount = 0
        stagedAtMost = usuallyStaged
        isOfOtherModel = false
        defer { outcome = Outcome() }
        return outcome
    }

    /// Files where another layout has them: the index that names them is gone by now.
    private func removeMisplaced() throws(PublishingError) {
        guard !misplaced.isEmpty else { return }
        // Where another layout has one product's file, this one may have another's.
        let others = misplaced.subtracting(isOneFile ? [OutputPath.ofAll] : index.outputPaths)
        for path in others where try folder.remove(path.components) { outcome.removed += 1 }
        if isOneFile { folder.removeIfEmpty(OutputPath.folder) }
        misplaced = []
    }

    private func stageAll() throws(PublishingError) {
        let bytes = ProductMap.bytes(
            head: ProductMap.head(model: model, form: form), lines.map(\.line), form: form)
        if try stage(bytes, at: OutputPath.ofAll.components) {
            outcome.written += 1
        } else {
            outcome.unchanged += 1
        }
        let digest = ContentDigest(of: bytes)
        index = Index(lines.map { ($0.product, digest) }, form: form)
        lines = []
    }

    /// The web component beside the documents, where it is wanted; where it is not, it goes if it is ours.
    private func stageComponent() throws(PublishingError) {
        let file = [Component.fileName]
        guard form.hasComponent else {
            if hadComponent, try folder.read(file, atMost: Component.mark.count) == Component.mark {
                _ = try folder.remove(file)
                outcome.removed += 1
            }
            hadComponent = false
            return
        }
        if let found = try folder.read(file, atMost: Component.mark.count), found != Component.mark {
            throw .cannotWrite(path: "\(folder.path)/\(Component.fileName)", errno: EISDIR)
        }
        if try stage(Component.bytes, at: file) { outcome.written += 1 }
    }

    /// Puts all documents of the model in the place of those of another, and the index at once behind them.
    private func exchange() throws(PublishingError) -> Outcome {
        try stageComponent()
        try folder.makeStaging()
        let indexName = "index"
        try folder.writeStaged(indexName, index.json(model: model))
        let documents = Set(index.outputPaths)
        let others = gone.union(misplaced).subtracting(documents)
        if try !folder.exchangeTrees() {
            for document in documents { try folder.publishAside(document) }
            for path in others { _ = try folder.remove(path.components) }
        }
        if others.contains(.ofAll) { _ = try folder.remove(OutputPath.ofAll.components) }
        try flush()
        try folder.publishStaged(indexName, at: [Index.fileName])
        outcome.isIndexNew = true
        outcome.removed = ours.subtracting(documents).union(others).count
        let ours = Set(ours.union(documents).union(others).map(\.name))
        try folder.removeTree { ours.contains($0) }
        try folder.removeStaging()
        folder.forgetLatest()
        isOfOtherModel = false
        (self.ours, gone, misplaced) = ([], [], [])
        defer { outcome = Outcome() }
        return outcome
    }

    /// Writes bytes aside if they are not those on disk. Returns whether it did.
    private func stage(_ bytes: [UInt8], at path: [String]) throws(PublishingError) -> Bool {
        if try isOnDisk(bytes, at: path) { return false }
        stagedCount += 1
        let name = "\(stagedCount)"
        try folder.writeStaged(name, bytes)
        staged.append((name, path))
        return true
    }

    /// A file that the disk cannot read any more is not these bytes: another takes its place.
    private func isOnDisk(_ bytes: [UInt8], at path: [String]) throws(PublishingError) -> Bool {
        do throws(PublishingError) {
            return try folder.read(path, atMost: bytes.count + 1) == bytes
        } catch .cannotWrite(_, EIO) {
            return false
        }
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
