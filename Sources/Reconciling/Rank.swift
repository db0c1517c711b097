import Catalogue
import Embedder
import Products

/// Brings the neighbour table up to date with what was stored and what departs.
struct RankStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options

    enum Outcome {
        /// Nothing can be ranked before everything has been compared once more: photos have no vector of another model yet.
        /// `heldBack` products that would have gone are kept.
        case awaitsWhole(heldBack: Int)
        /// How many products there are, and how many of those that would have gone are kept.
        case done(products: Int, heldBack: Int)
    }

    /// What a round found.
    struct Input {
        /// The photos that are to leave.
        let departures: Departures
        /// The photos of the scope as they were known before this round.
        let before: [ImageRecord]
        /// Whether the scope is everything.
        let isWhole: Bool
        /// Whether the round looked at all photos of its scope.
        let isThrough: Bool
    }

    /// - Parameter brake: changed only where what departs is kept, or has left.
    func run(_ input: Input, _ brake: inout RemovalBrake) throws -> Outcome {
        let catalogue = session.catalogue
        let state = try catalogue.rankingState()
        let products = state.products
        let isOtherModel = state.model != session.model
        let isBehind = try isOtherModel || self.isBehind(state, isWhole: input.isWhole)
        guard isBehind || !input.departures.isEmpty else {
            if state.isHeldBack, input.isWhole { try catalogue.setHeldBack(false) }
            return .done(products: products, heldBack: 0)
        }

        let departing = input.departures.paths
        let leaving = input.before.filter { departing.contains($0.path) }.map(\.product)
        let turnover = try turnover(Set(state.unranked + leaving), input, departing: departing)
        var next = brake
        let decision = next.decide(
            turnover, of: products, isHeldBack: state.isHeldBack, isConfirmed: options.allowsMassRemoval)
        guard case .hold(let count) = decision else {
            if state.isHeldBack, input.isWhole { try catalogue.setHeldBack(false) }
            if isOtherModel, try !hasVectorsOfAll(input, without: departing) {
                return .awaitsWhole(heldBack: 0)
            }
            let ranked = try update(Set(state.unranked + leaving), input.departures, state, isOtherModel)
            brake = next
            return .done(products: ranked, heldBack: 0)
        }
        if !state.isHeldBack { try catalogue.setHeldBack(true) }
        brake = next
        guard isBehind else { return .done(products: products, heldBack: count) }
        if isOtherModel, try !hasVectorsOfAll(input, without: []) { return .awaitsWhole(heldBack: count) }
        let ranked = try update(Set(state.unranked), Departures(), state, isOtherModel)
        return .done(products: ranked, heldBack: count)
    }

    /// Whether rows are not those of the photos as they are.
    private func isBehind(_ state: RankingState, isWhole: Bool) throws -> Bool {
        if state.depth != workplace.form.candidateDepth || !state.unranked.isEmpty { return true }
        return try isWhole
            && (session.table?.hasLost ?? false || session.catalogue.arePoolsAhead(of: session.model))
    }

    /// After a change of model, a photo that cannot be read now has no vector that could be compared.
    ///
    /// - Returns: false where some may get theirs yet.
    /// - Throws: `ReconcileError.modelIncomplete` where all photos were looked at and some have none.
    private func hasVectorsOfAll(_ input: Input, without departing: Set<ImagePath>) throws -> Bool {
        guard !options.allowsMassRemoval else { return true }
        let unembedded = try session.catalogue.images(withoutVectorOf: session.model)
            .filter { !departing.contains($0.path) }
        guard let first = unembedded.first else { return true }
        guard input.isWhole, input.isThrough else { return false }
        throw ReconcileError.modelIncomplete(photos: unembedded.count, first: first.path.text)
    }

    /// Computes new rows and makes the change in one transaction. Returns how many products there are.
    private func update(
        _ affected: Set<ProductID>, _ departures: Departures, _ state: RankingState, _ isOtherModel: Bool
    ) throws -> Int {
        let table = try session.takeTable(workplace)
        try table.bringUpToDate(
            affected, isWhole: isOtherModel || state.depth != table.depth, without: departures, workplace,
            options)
        session.table = table
        return table.productCount
    }

    /// What becomes of products whose photos came or went. A product that loses its last photo counts as gone unless
    /// one of its photos is there as a new product's; each photo of a new product stands for one that has gone, so
    /// that copies of one picture do not stand for many.
    private func turnover(
        _ affected: Set<ProductID>, _ input: Input, departing: Set<ImagePath>
    ) throws -> RecentlyGone.Turnover {
        var turnover = RecentlyGone.Turnover()
        var gone: [ProductID] = []
        for (product, holding) in try session.catalogue.holdings(of: affected, without: departing) {
            if !holding.contents.isEmpty { turnover.present.insert(product) }
            if !holding.isRanked {
                for digest in holding.contents { turnover.arrived[digest, default: 0] += 1 }
            } else if holding.contents.isEmpty {
                gone.append(product)
            }
        }
        guard !gone.isEmpty else { return turnover }
        let contents = Dictionary(grouping: input.before.filter { $0.digest != nil }, by: \.product)
        for product in gone.sorted() {
            let digests = contents[product, default: []].compactMap(\.digest)
            if !turnover.match(digests) { turnover.gone[product] = digests }
        }
        return turnover
    }
}

extension RankingTable {
    /// Computes new rows and makes the change in the catalogue.
    func bringUpToDate(
        _ affected: Set<ProductID>, isWhole: Bool, without departures: Departures, _ workplace: Workplace,
        _ options: Round.Options
    ) throws {
        let progress = workplace.progress
        let update = try update(
            affected, isWhole: isWhole, without: departures,
            progress: { progress(.ranking(done: $0, of: $1)) }, isStopping: options.isStopping)
        try commit(
            update, departures, progress: { progress(.ranking(done: $0, of: update.changed.count)) },
            isStopping: options.isStopping)
    }
}
