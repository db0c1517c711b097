import Catalogue
import Products
import Publishing

/// Computes the new model's neighbours of all products that the catalogue has, and puts it in service: one transaction, before
/// which nothing has changed. Photos without a vector of it leave with the change.
struct TakeOverStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options
    let brake: RemovalBrake

    /// - Parameter leavesOut: whether photos that have no vector of it may leave, however many.
    /// - Throws: `ReconcileError.modelIncomplete` where some have none and are not to leave.
    func run(_ change: ModelChange, leavesOut: Bool) throws -> Session {
        let catalogue = session.catalogue
        let lacking = try catalogue.images(withoutVectorOf: change.number)
        let departures = try departures(lacking, change, leavesOut: leavesOut)
        workplace.progress(.ranking(done: 0, of: 0))
        let new = try Session(of: change.coming, change.number, after: session, workplace)
        let table = try new.loadTable(workplace)
        let affected = Set(try catalogue.rankingState().unranked + lacking.map(\.product))
        try table.bringUpToDate(affected, isWhole: true, without: departures, workplace, options)
        new.table = table
        try new.publisher(workplace).change(to: change.coming.source.name)
        return new
    }

    /// Photos that fail with the change.
    private func departures(
        _ lacking: [ImageRecord], _ change: ModelChange, leavesOut: Bool
    ) throws -> Departures {
        let rules = workplace.rules(change.coming)
        var departures = Departures()
        var blocking: [(path: ImagePath, reason: String)] = []
        for image in lacking {
            let failure = image.digest.flatMap { change.failures[$0] }
            let reason = failure?.reason ?? "it has just come"
            let isRefused = failure?.kind == .refused
            // What is not there leaves with a round, which knows when not to believe it.
            if !isRefused, !leavesOut || failure?.kind == .gone { blocking.append((image.path, reason)) }
            departures.failed.append(
                ImageRecord(
                    path: image.path, product: image.product, stamp: image.stamp,
                    state: .failed(reason: reason, attempts: 1, under: isRefused ? rules : nil)))
        }
        let vanishing = try vanishing(lacking, change.number)
        if !leavesOut, let first = departures.failed.first,
            brake.isMass(vanishing, of: try session.catalogue.rankedProductCount())
        {
            blocking.append((first.path, first.failureReason ?? ""))
        }
        if let first = blocking.first {
            throw ReconcileError.modelIncomplete(
                photos: max(blocking.count, vanishing), first: "\(first.path.text): \(first.reason)")
        }
        return departures
    }

    /// How many products none of whose photos has a vector there are.
    private func vanishing(_ lacking: [ImageRecord], _ model: ModelNumber) throws -> Int {
        guard !lacking.isEmpty else { return 0 }
        return Set(lacking.map(\.product)).subtracting(try session.catalogue.embeddedProducts(of: model))
            .count
    }
}
