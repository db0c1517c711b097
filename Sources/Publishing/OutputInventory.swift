import Glibc
import Products

/// What is known of an output folder before anybody looks.
package struct KnownOutput: Sendable {
    /// The products that have a file here, with its digest, in the order of their ids; where there is none, only an index tells
    /// that files are ours.
    package var published: [(product: ProductID, digest: ContentDigest?)]
    /// What of ours may lie here (`OutputForm.parts`), whole or not; empty where that is not known.
    package var parts: Set<String>
    /// Whether the files are known to be of another model, though its name may be the same.
    package var isOfOtherModel: Bool

    package init(
        _ published: [(product: ProductID, digest: ContentDigest?)] = [], parts: Set<String> = [],
        isOfOtherModel: Bool = false
    ) {
        (self.published, self.parts, self.isOfOtherModel) = (published, parts, isOfOtherModel)
    }

    /// Where files of ours may lie.
    func layouts(_ form: OutputForm) -> Set<OutputForm.Layout> {
        OutputForm.layouts(in: parts).union([form.layout])
    }

    /// Removes what was written aside. There is a tree only where a change of model was interrupted.
    func removeLeftovers(in folder: inout OutputFolder, _ form: OutputForm) throws(PublishingError) {
        var ours: Set<FileName>?
        try folder.removeTree { path in
            let names =
                ours
                ?? Set(
                    published.flatMap { product, _ in
                        layouts(form).map { OutputPath(of: product, in: $0).name }
                    })
            ours = names
            return names.contains(path)
        }
        try folder.emptyStaging()
    }
}

/// What lies in an output folder, and whose it is.
struct OutputInventory {
    let index: Index
    /// The products that the index on disk names; empty where it is as it was left.
    let indexedProducts: [ProductID]
    /// Files of ours that lie where another layout has them.
    let misplaced: Set<OutputPath>
    let isOfOtherModel: Bool

    /// - Throws: `PublishingError`, among others where the folder holds files of somebody else's.
    init(
        _ folder: inout OutputFolder, model: String, form: OutputForm, _ known: KnownOutput
    ) throws(PublishingError) {
        let layouts = known.layouts(form)
        let bytes = try folder.read([Index.fileName])
        let index = Index(
            known.published.compactMap { product, digest in digest.map { (product, $0) } }, form: form)
        // An index that is as it was left, as most are, names nothing new.
        let isAsLeft = form.layout != .single && bytes.map { $0 == index.json(model: model) } ?? false
        var contents: Index.Contents?
        if let bytes, !isAsLeft {
            contents = Index.Contents(bytes)
            guard contents != nil else { throw .foreignIndex(folder: folder.path) }
        }
        if bytes == nil && known.published.isEmpty, try folder.hasFiles(in: OutputPath.folder) {
            throw .foreignProducts(folder: folder.path)
        }
        self.index = index
        indexedProducts = contents?.digests.keys.sorted() ?? []
        let hasOtherName = contents.map { $0.model != model } ?? false
        isOfOtherModel = hasOtherName || known.isOfOtherModel && bytes != nil

        var misplaced: Set<OutputPath> = []
        for layout in layouts where layout != form.layout {
            misplaced.formUnion(known.published.map { OutputPath(of: $0.product, in: layout) })
        }
        if let contents, contents.layout != form.layout { misplaced.formUnion(contents.paths) }
        if try Self.isForeignMap(&folder, isExpected: form.layout == .single || misplaced.contains(.ofAll)) {
            guard form.layout != .single else {
                throw .cannotWrite(path: "\(folder.path)/\(OutputPath.ofAll.relative)", errno: EISDIR)
            }
            misplaced.remove(.ofAll)
        }
        self.misplaced = misplaced
    }

    /// Whether something else lies where the file of all products is.
    private static func isForeignMap(_ folder: inout OutputFolder, isExpected: Bool) throws(PublishingError)
        -> Bool
    {
        guard isExpected, let start = try folder.read(OutputPath.ofAll.components, atMost: 1 << 10) else {
            return false
        }
        return !ProductMap.isOurs(start)
    }
}
