import Catalogue
import Embedder
import Products
import Publishing

/// What is held from the first round to the last, whatever goes wrong between: nobody else works on these folders meanwhile, and
/// the catalogue is opened once, for others read from it.
final class Premises {
    let catalogue: Catalogue
    private let lock: StateLock

    init(stateFolder: String) throws {
        lock = try StateLock(stateFolder: stateFolder)
        catalogue = try Catalogue(stateFolder: stateFolder)
    }
}

/// What stays open and in memory from one round to the next, for one model.
final class Session {
    let premises: Premises
    /// The model that rounds are made with.
    let work: ModelAtWork
    let model: ModelNumber
    /// Nil after what was staged was given up half-way.
    private var publisher: Publisher?
    /// In step with the neighbour table of the catalogue; nil where that is not known.
    var table: RankingTable?

    var catalogue: Catalogue { premises.catalogue }

    init(premises: Premises, work: ModelAtWork, model: ModelNumber) {
        (self.premises, self.work, self.model) = (premises, work, model)
    }

    /// The session of another model that takes over, in the same output folder.
    init(of work: ModelAtWork, _ model: ModelNumber, after other: Session, _ workplace: Workplace) throws {
        (premises, self.work, self.model) = (other.premises, work, model)
        publisher = try other.publisher(workplace)
    }

    /// The open output folder; opens it where it is not.
    func publisher(_ workplace: Workplace) throws -> Publisher {
        if let publisher { return publisher }
        let published = try catalogue.publishedModel()
        let form = workplace.form.output
        let opened = try Publisher(
            folder: workplace.settings.output.folder, model: work.source.name, form: form,
            known: KnownOutput(
                try catalogue.publications().map { ($0.product, $0.digest) },
                parts: try catalogue.beginPublishing(form.parts),
                isOfOtherModel: published.map { $0 != model } ?? false))
        publisher = opened
        return opened
    }

    var hasPublisher: Bool { publisher != nil }

    /// Gives up what waits to be put in its place; the output folder is opened again when it is needed.
    func closePublisher() { publisher = nil }

    /// The table, which is given up where what comes next fails half-way: it is read again from the catalogue then.
    func takeTable(_ workplace: Workplace) throws -> RankingTable {
        try table.take() ?? loadTable(workplace)
    }

    func loadTable(_ workplace: Workplace) throws -> RankingTable {
        try RankingTable(
            catalogue: catalogue, model: model, dimension: work.source.dimension,
            depth: workplace.form.candidateDepth, threads: workplace.settings.effectiveThreads)
    }
}
