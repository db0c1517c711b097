import Catalogue
import Glibc
import Products
import Publishing

/// Brings files to what the catalogue says: all of them, or those that are due. Files are compared with what is on disk, not with
/// what was written last time, so that after a comparison of all they are right whatever happened to the output folder.
struct PublishStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options

    struct Outcome {
        var published = ReconcileReport.Published()
        /// Nil where not all files were looked at, or there is no table of attributes.
        var attributes: ReconcileReport.Attributes?
    }

    /// - Parameter looksAtAll: whether files are looked at that are not due.
    /// - Throws: what was staged is given up then.
    func run(looksAtAll: Bool) throws -> Outcome {
        do {
            return try publish(looksAtAll: looksAtAll)
        } catch {
            session.closePublisher()
            throw error
        }
    }

    private func publish(looksAtAll: Bool) throws -> Outcome {
        var looksAtAll = looksAtAll
        if !(try session.publisher(workplace).isInPlace) {
            // Somebody has replaced the output folder.
            session.closePublisher()
            looksAtAll = true
        }
        let publisher = try session.publisher(workplace)
        do {
            return try publish(publisher, looksAtAll: looksAtAll)
        } catch PublishingError.cannotWrite(_, let code)
            where (code == ENOSPC || code == EDQUOT) && publisher.isOfOtherModel
        {
            // There is no room for the documents of two models.
            try publisher.replaceOneByOne()
            return try publish(publisher, looksAtAll: true)
        }
    }

    private func publish(_ publisher: Publisher, looksAtAll: Bool) throws -> Outcome {
        let isOtherForm = try session.catalogue.publishedForm() != workplace.form.digest
        var isAll = looksAtAll || isOtherForm || publisher.isOfOtherModel
        try RecommendStep(workplace: workplace, session: session, publisher: publisher, options: options)
            .run(looksAtAll: isAll)
        let due = isAll ? [] : try session.catalogue.dueProducts()
        // One file of all products is made of all of them.
        if publisher.isOneFile, !due.isEmpty { isAll = true }
        guard isAll || !due.isEmpty else { return Outcome() }
        var staging = Staging(
            self, publisher, total: isAll ? try session.catalogue.rankedProductCount() : due.count)
        if isAll { try staging.stageAll() } else { try staging.stage(due) }
        var outcome = try staging.finish()
        if isAll { outcome.attributes = try attributes() }
        return outcome
    }

    private func attributes() throws -> ReconcileReport.Attributes? {
        guard workplace.settings.output.attributes != nil else { return nil }
        let counts = try session.catalogue.attributedCounts()
        return .init(lines: counts.lines, products: counts.products)
    }
}

/// Files that are being written aside, and what there is to note of them.
private struct Staging {
    private let step: PublishStep
    private let total: Int
    private let publisher: Publisher
    private var note: PublicationNote
    /// What the hook is told of though its digest may be what it was: another place, or a file that was not there.
    private var rewritten: [ProductID] = []
    private let isMoving: Bool

    init(_ step: PublishStep, _ publisher: Publisher, total: Int) {
        (self.step, self.publisher, self.total) = (step, publisher, total)
        isMoving = publisher.isMoving
        let form = step.workplace.form
        note = PublicationNote(model: step.session.model, parts: form.output.parts, form: form.digest)
    }

    private var catalogue: Catalogue { step.session.catalogue }

    mutating func stageAll() throws {
        let published = Set(try catalogue.publications().map(\.product))
        publisher.beginAnew()
        try catalogue.forEachRankedProduct { try stage($0) }
        note.removed = published.subtracting(note.published.map(\.product)).sorted()
    }

    mutating func stage(_ due: [ProductID]) throws {
        try catalogue.forEach(of: due) { product, ranked in
            if let ranked { try stage(ranked) } else { note.removed.append(product) }
        }
    }

    private mutating func stage(_ ranked: RankedProduct) throws {
        let (digest, isWritten) = try publisher.stage(step.workplace.form.document(of: ranked))
        note.published.append((ranked.product, digest))
        if isWritten || isMoving { rewritten.append(ranked.product) }
        guard note.published.count % 64 == 0 else { return }
        step.workplace.progress(.publishing(done: note.published.count, of: total))
        // What was written aside so far is written again then.
        try step.options.throwIfStopping()
    }

    /// Puts files in their places, and notes them.
    mutating func finish() throws -> PublishStep.Outcome {
        for product in note.removed { publisher.remove(product) }
        let outcome = try publisher.finish()
        if publisher.isOneFile, outcome.written > 0, try isAsKnown() {
            rewritten = note.published.map(\.product)
        }
        note.forHook = step.workplace.settings.publish.hook.isEmpty ? nil : rewritten
        note.isNewGeneration = outcome.written + outcome.removed > 0 || outcome.isIndexNew
        try catalogue.notePublished(note)
        var published = ReconcileReport.Published()
        (published.written, published.unchanged) = (outcome.written, outcome.unchanged)
        published.removed = outcome.removed
        return PublishStep.Outcome(published: published)
    }

    /// Whether no product's line is another one than the catalogue knows.
    private func isAsKnown() throws -> Bool {
        let known = Dictionary(
            try catalogue.publications().map { ($0.product, $0.digest) },
            uniquingKeysWith: { first, _ in first })
        return note.published.allSatisfy { known[$0.product] == $0.digest }
    }
}
