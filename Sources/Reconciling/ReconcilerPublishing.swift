import Catalogue
import Embedder
import Foundation
import Products
import Publishing
import Settings
import Tables

// How files are brought to what the catalogue says.

extension Reconciler {
    func openPublisher(_ catalogue: Catalogue, _ work: ModelAtWork, _ number: ModelNumber) throws
        -> Publisher
    {
        let published = try catalogue.publishedModel()
        let form = OutputForm(settings)
        return try Publisher(
            folder: settings.outputFolder, model: work.source.name, form: form,
            published: try catalogue.publications().map { ($0.product, $0.digest) },
            earlierParts: try catalogue.beginPublishing(form.parts),
            isOfOtherModel: published.map { $0 != number } ?? false)
    }

    /// Brings files to what the catalogue says: all of them, or those that are due. Files are compared with what
    /// is on disk, not with what was written last time, so that after a comparison of all they are right whatever
    /// happened to the output folder.
    func publish(
        _ opened: Opened, everything: Bool, _ options: Options, _ report: inout ReconcileReport
    ) throws {
        do {
            try publishOnce(opened, everything: everything, options, &report)
        } catch PublishingError.cannotWrite(_, let code)
            where (code == ENOSPC || code == EDQUOT) && opened.publisher.isOfOtherModel
        {
            // There is no room for the documents of two models.
            try opened.publisher.replaceOneByOne()
            self.opened = opened
            try publishOnce(opened, everything: true, options, &report)
        }
    }

    private func publishOnce(
        _ opened: Opened, everything: Bool, _ options: Options, _ report: inout ReconcileReport
    ) throws {
        let catalogue = opened.catalogue
        let form = try currentForm()
        var everything = everything
        if !opened.publisher.isInPlace {
            opened.publisher = try openPublisher(catalogue, opened.work, opened.model)
            everything = true
        }
        // Given up half-way, what waits to be renamed has to be forgotten.
        var isFinished = false
        defer { if !isFinished { self.opened = nil } }
        let publisher = opened.publisher
        let isOtherForm = try catalogue.publishedForm() != form.digest
        if publisher.isOfOtherModel || isOtherForm { everything = true }
        if publisher.isOneFile, try !catalogue.dueProducts().isEmpty { everything = true }
        var digests: [(product: ProductID, digest: ContentDigest)] = []
        // What the hook is told of though its digest may be what it was: another place, or a file that was not there.
        let isMoving = publisher.isMoving
        var rewritten: [ProductID] = []
        var attributed = 0
        var gone: [ProductID] = []
        let total: Int
        func stage(_ ranked: RankedProduct) throws {
            let (digest, isWritten) = try publisher.stage(form.document(of: ranked))
            digests.append((ranked.product, digest))
            if isWritten || isMoving { rewritten.append(ranked.product) }
            if form.hasAttributes(ranked.product) { attributed += 1 }
            guard digests.count % 64 == 0 else { return }
            progress(.publishing(done: digests.count, of: total))
            // What was written aside so far is written again then.
            if options.isStopping() { throw ReconcileError.stopped }
        }
        if everything {
            total = try catalogue.rankedProductCount()
            let published = Set(try catalogue.publications().map(\.product))
            publisher.beginAnew()
            try catalogue.forEachRankedProduct(stage)
            gone = published.subtracting(digests.map(\.product)).sorted()
        } else {
            let due = try catalogue.dueProducts()
            isFinished = due.isEmpty
            guard !due.isEmpty else { return }
            total = due.count
            try catalogue.forEach(of: due) { product, ranked in
                if let ranked { try stage(ranked) } else { gone.append(product) }
            }
        }
        for product in gone { publisher.remove(product) }
        let outcome = try publisher.finish()
        if publisher.isOneFile, outcome.written > 0, try isAsKnown(digests, catalogue) {
            rewritten = digests.map(\.product)
        }
        try catalogue.notePublished(
            digests, removed: gone,
            of: opened.model, form: (form.output.parts, form.digest),
            forHook: settings.hook.isEmpty ? nil : rewritten,
            isNewGeneration: outcome.written + outcome.removed > 0 || outcome.isIndexNew)
        if everything {
            report.attributes = form.attributedCount.map { .init(lines: $0, products: attributed) }
        }
        report.published.written += outcome.written
        report.published.unchanged += outcome.unchanged
        report.published.removed += outcome.removed
        isFinished = true
    }

    /// Whether no product's line is another one than the catalogue knows.
    private func isAsKnown(
        _ digests: [(product: ProductID, digest: ContentDigest)], _ catalogue: Catalogue
    ) throws -> Bool {
        let known = Dictionary(
            try catalogue.publications().map { ($0.product, $0.digest) },
            uniquingKeysWith: { first, _ in first })
        return digests.allSatisfy { known[$0.product] == $0.digest }
    }

    /// The form of documents, with the table of attributes as it is now.
    private func currentForm() throws(TableError) -> PublishedForm {
        if let form {
            do throws(TableError) {
                let stamp: FileStamp? =
                    if let file = settings.attributesFile { try tableFiles.stamp(of: file) } else { nil }
                tableTrouble = nil
                // A running agent does not take a table that somebody is writing; it looks again.
                let isEarly = keepsServing && stamp?.isYoungTable ?? false
                if isEarly || stamp == form.stamp { return form }
                return try newForm()
            } catch {
                // What is known of it goes on; it is looked at again.
                guard case .notReached = error, keepsServing else { throw error }
                tableTrouble = error.description
                return form
            }
        }
        return try newForm()
    }

    private func newForm() throws(TableError) -> PublishedForm {
        let new = try PublishedForm(settings, tableFiles)
        form = new
        return new
    }
}
