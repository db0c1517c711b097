import Foundation
import Products

/// What lies in the output folder now, for whoever compares it with what should.
package struct PublishedFiles {
    /// What is wrong with a product's document.
    package enum Drift: String, Hashable, Sendable {
        case missing = "its file is missing"
        case other = "its file has other bytes"
        case notIndexed = "index.json does not name it"
        case indexedOther = "index.json names another digest"
    }

    private let folder: String
    private let model: String
    private let form: OutputForm
    private let digests: [ProductID: String?]
    /// The lines and the digest of the file of all products, where there is to be one.
    private let all: (lines: Set<Data>, digest: ContentDigest)?

    /// Reads the index.
    package init(folder: String, model: String, form: OutputForm) {
        self.folder = folder
        self.model = model
        self.form = form
        let bytes = FileManager.default.contents(atPath: "\(folder)/\(Index.fileName)") ?? Data()
        digests = Index.Contents(bytes)?.digests ?? [:]
        all = form.layout == .single ? Self.linesOfAll(folder: folder, model: model, form: form) : nil
    }

    private static func linesOfAll(folder: String, model: String, form: OutputForm)
        -> (lines: Set<Data>, digest: ContentDigest)?
    {
        let file = "\(folder)/\(OutputPath.ofAll.relative)"
        guard let bytes = FileManager.default.contents(atPath: file) else { return nil }
        let isOfModel = bytes.starts(with: ProductMap.head(model: model, form: form))
        return (isOfModel ? Set(ProductMap.lines(of: bytes)) : [], ContentDigest(of: bytes))
    }

    /// The products that the index names.
    package var products: Set<ProductID> { Set(digests.keys) }

    /// What is wrong with a product's file, if this is its document.
    package func drift(of document: ProductDocument) -> Drift? {
        let expected: ContentDigest
        if form.layout == .single {
            guard let all else { return .missing }
            guard all.lines.contains(Data(document.line(form: form))) else { return .other }
            expected = all.digest
        } else {
            let bytes = document.json(model: model, form: form)
            let path = "\(folder)/\(OutputPath(of: document.product, in: form.layout).relative)"
            guard let found = FileManager.default.contents(atPath: path) else { return .missing }
            guard found.elementsEqual(bytes) else { return .other }
            expected = ContentDigest(of: bytes)
        }
        guard let digest = digests[document.product] else { return .notIndexed }
        return digest == "sha256:\(expected)" ? nil : .indexedOther
    }
}
