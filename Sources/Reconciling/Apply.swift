import Catalogue
import Embedder
import Products
import Watching

/// Reads and embeds what a plan says, and stores it batch by batch.
struct ApplyStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options

    struct Outcome {
        /// What of the plan was done.
        let done: ReconcilePlan
        let intake: PhotoIntake
        /// Photos that the time did not suffice for, and photos that have gone and may be the same.
        let left: [ImagePath]

        /// The photos that leave, which the ranking takes out.
        var departures: Departures {
            var departures = intake.departures
            departures.removed += done.removed.map(\.path)
            return departures
        }
    }

    func run(_ plan: ReconcilePlan) throws -> Outcome {
        let isEmbedded = session.catalogue.embeddedCheck(of: session.model)
        var intake = PhotoIntake(plan: plan, rules: workplace.rules(session.work), isStored: isEmbedded)
        try store(&intake)
        var left: [ImagePath] = []
        let taken = try read(plan.readings, isEmbedded, &intake)
        if !plan.readings.isEmpty {
            try store(&intake)
            left = intake.resolveDuplicates().map(\.path)
            try store(&intake)
        }
        var (done, unread) = plan.dropReadings(from: taken)
        let counterparts = done.withholdRemovals(for: unread)
        for photo in unread {
            left.append(photo.path)
            if let gone = counterparts[photo.path] { left.append(gone) }
        }
        return Outcome(done: done, intake: intake, left: left)
    }

    /// Returns how many were read.
    private func read(
        _ readings: [ReconcilePlan.Reading], _ isEmbedded: @escaping @Sendable (ContentDigest) -> Bool,
        _ intake: inout PhotoIntake
    ) throws -> Int {
        guard !readings.isEmpty else { return 0 }
        let total = readings.count
        var done = 0
        workplace.progress(.embedding(done: 0, of: total))
        return try session.work.pipeline(workplace.settings).run(
            readings.map(\.photo.path), isEmbedded: isEmbedded, isOver: options.isOver
        ) { outcomes in
            for (index, outcome) in outcomes { intake.take(outcome, of: readings[index]) }
            done += outcomes.count
            if intake.isWorthStoring || done == total { try store(&intake) }
            workplace.progress(.embedding(done: done, of: total))
        }
    }

    private func store(_ intake: inout PhotoIntake) throws {
        let (images, embeddings) = (intake.takeImages(), intake.takeEmbeddings())
        guard !images.isEmpty || !embeddings.isEmpty else { return }
        try session.catalogue.store(images: images, embeddings: embeddings, model: session.model)
    }
}
