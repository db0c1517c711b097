import Catalogue
import Files
import Foundation
import Neighbours
import Products

extension VectorFile: VectorStore {}

/// The neighbour table, in step with the catalogue from one round to the next. For one thread.
///
/// What a run leaves in the catalogue is the table itself, so the next one goes on with it: nothing is computed again
/// but what has changed, also after a long computation was interrupted.
package final class RankingTable {
    /// How a long computation is divided.
    struct Pace {
        /// Products whose vectors are read and looked up at a time.
        var sliceLength = 8192
        /// How long may be computed for nothing if the program is killed.
        var keepingInterval = Duration.seconds(60)
        /// What took less is computed again sooner than kept.
        var worthKeeping = Duration.seconds(5)
        /// Of those that products have left; with three times as many as there are products beside, the table is
        /// computed anew, which is then soon done.
        var emptySlotsAtMost = 4096
    }

    private let catalogue: Catalogue
    private let model: ModelNumber
    private let vectors: VectorFile
    private let table: NeighbourTable
    private let threads: Int
    private let pace: Pace
    /// Products whose vectors have to be given again.
    private var lost: Set<ProductID>
    /// Whether the catalogue's rows are not those of this table, or not those of the products' vectors as they are.
    private var isAhead: Bool

    /// Whether products are in it whose vectors have to be given again.
    var hasLost: Bool { !lost.isEmpty }

    /// What an update did.
    package struct Update {
        /// Products that are new or may have other neighbours.
        package let changed: [ProductID]
        package let removed: [ProductID]
        /// Products that the table is no longer behind with.
        package let upToDate: [ProductID]
        /// How many rows had to be searched again because too many of their neighbours had left.
        package let searchedAgain: Int
    }

    /// The table that the catalogue has, as far as it has one.
    package convenience init(
        catalogue: Catalogue, model: ModelNumber, dimension: Int, depth: Int, threads: Int
    ) throws {
        try self.init(
            catalogue: catalogue, model: model, dimension: dimension, depth: depth, threads: threads,
            pace: Pace())
    }

    /// - Parameter files: the calls to the file system for the vectors.
    init(
        catalogue: Catalogue, model: ModelNumber, dimension: Int, depth: Int, threads: Int, pace: Pace,
        files: any FileCalls = SystemFiles()
    ) throws {
        (self.catalogue, self.model, self.threads, self.pace) = (catalogue, model, threads, pace)
        let vectors = try VectorFile(
            stateFolder: catalogue.stateFolder, model: model, dimension: dimension, files: files)
        self.vectors = vectors
        let table = NeighbourTable(dimension: dimension, count: depth, store: vectors)
        // Memory and searches have all slots, also those that nothing is in any more.
        let extent = try catalogue.poolExtent(of: model)
        if extent.slots > 4 * extent.products + pace.emptySlotsAtMost {
            try catalogue.dropPools(of: model)
        }
        var digests: [ContentDigest?] = []
        try catalogue.forEachPool(of: model) { pool, digest in
            table.restore(pool)
            digests += repeatElement(nil, count: pool.slot - digests.count)
            digests.append(digest)
        }
        let lost = try table.finishRestoring(threads: threads) { [digests] slot, row in
            vectors.digest(of: row) == digests[slot]
        }
        self.table = table
        self.lost = Set(lost)
        isAhead = try catalogue.arePoolsAhead(of: model)
    }

    /// How many neighbours are asked for.
    package var depth: Int { table.count }
    /// The number of products there are.
    package var productCount: Int { table.productCount }
    /// The memory of what is searched and of the pools, without the products' ids.
    package var bytes: Int { table.bytes }

    /// The nearest of a product, the most similar first.
    package func neighbours(of product: ProductID) -> [Neighbour] { table.neighbours(of: product) ?? [] }

    /// Brings the table up to date with the photos that the catalogue has.
    ///
    /// - Parameters:
    ///   - affected: products whose photos have changed.
    ///   - isWhole: whether the rows that the catalogue has are of another model, or are of another length.
    ///   - progress: called often, with how many products are looked up.
    /// - Throws: `ReconcileError.stopped`; what is computed by then is kept where that is worth it.
    package func update(
        _ affected: Set<ProductID>, isWhole: Bool, without departures: Departures,
        progress: (_ done: Int, _ total: Int) -> Void, isStopping: () -> Bool
    ) throws -> Update {
        let departing = departures.paths
        let isWhole = isWhole || isAhead
        var coming: [ProductID]
        var gone: [ProductID]
        if isWhole {
            (coming, gone) = try differences(without: departing)
        } else {
            let touched = affected.union(lost)
            coming = touched.sorted()
            gone = []
        }
        isAhead = isWhole
        lost = []
        progress(0, coming.count)
        var keptAt = ContinuousClock.now
        var done = 0
        var searchedAgain = 0
        repeat {
            let slice = coming[done..<min(done + pace.sliceLength, coming.count)]
            let changes = try changes(slice, without: departing) + gone.map { ($0, nil) }
            gone = []
            do {
                searchedAgain += try table.update(changes, threads: threads) { sliceDone, sliceTotal in
                    progress(done + sliceDone, max(coming.count, done + sliceTotal))
                    if isStopping() { throw ReconcileError.stopped }
                }
            } catch ReconcileError.stopped {
                if ContinuousClock.now - keptAt > pace.worthKeeping {
                    try keepPools()
                }
                throw ReconcileError.stopped
            }
            done += slice.count
            if done < coming.count, ContinuousClock.now - keptAt > pace.keepingInterval {
                try keepPools()
                keptAt = .now
            }
        } while done < coming.count
        // Writing takes long too, and may be interrupted.
        if ContinuousClock.now - keptAt > pace.worthKeeping { try keepPools() }
        let rows = table.takeChangedRows()
        guard isWhole else {
            return Update(
                changed: rows.changed, removed: rows.removed, upToDate: affected.sorted(),
                searchedAgain: searchedAgain)
        }
        isAhead = false
        let ranked = Set(try catalogue.rankedProducts())
        let all = table.allProducts
        return Update(
            changed: all, removed: ranked.subtracting(all).sorted(),
            upToDate: affected.union(coming).sorted(),
            searchedAgain: searchedAgain)
    }

    /// Makes an update in the catalogue, together with the photos that depart. Rows and pools are handed over one by one within
    /// the transaction: all of them at once, for a million products, would be as large as the table itself.
    ///
    /// - Parameter progress: called now and then with how many of the changed rows are written.
    /// - Throws: `ReconcileError.stopped`; nothing is changed then, and the table is no longer in step with the catalogue.
    package func commit(
        _ update: Update, _ departures: Departures, progress: (_ done: Int) -> Void = { _ in },
        isStopping: () -> Bool = { false }
    ) throws {
        try catalogue.rank(departures, model: model, depth: depth, changing: update.changed.count) {
            transaction in
            try transaction.remove(update.removed)
            for (done, product) in update.changed.enumerated() {
                if done % 256 == 0 {
                    progress(done)
                    if isStopping() { throw ReconcileError.stopped }
                }
                try transaction.set(neighbours(of: product), of: product)
            }
            try transaction.noteUpToDate(update.upToDate)
            let (changed, freed) = table.takeChangedPools()
            try transaction.free(slots: freed)
            for slot in changed { if let pool = keptPool(slot) { try transaction.keep(pool) } }
        }
    }

    /// Keeps what is computed so far of a long computation.
    private func keepPools() throws {
        let (changed, freed) = table.takeChangedPools()
        try catalogue.keep(freed: freed, of: model) { keep in
            for slot in changed { if let pool = keptPool(slot) { try keep(pool) } }
        }
    }

    private func keptPool(_ slot: Int) -> KeptPool? {
        table.pool(ofSlot: slot).map { KeptPool(pool: $0, digest: vectors.takeDigest(ofSlot: slot)) }
    }

    /// What products' vectors are now; nil for those that are in the table and have none any more.
    private func changes(_ products: ArraySlice<ProductID>, without departing: Set<ImagePath>) throws -> [(
        product: ProductID, embedding: Embedding?
    )] {
        let given = try catalogue.vectors(of: products, model: model, without: departing)
        let present = Set(given.map(\.product))
        return given.map { ($0.product, $0.embedding) }
            + products.filter { !present.contains($0) && table.contains($0) }.map { ($0, nil) }
    }

    /// Products that the table has not, or not with the vectors that they have now; and those that it should not have.
    private func differences(without departing: Set<ImagePath>) throws -> (
        coming: [ProductID], gone: [ProductID]
    ) {
        guard table.productCount > 0 else {
            return (try catalogue.embeddedProducts(of: model, without: departing), [])
        }
        let kept = try catalogue.pooledVectors(of: model)
        var coming: [ProductID] = []
        var gone = Set(table.allProducts)
        try catalogue.forEachVectors(of: model, without: departing, inGroupsOf: 256) { group in
            for (product, vector) in group {
                gone.remove(product)
                if lost.contains(product) || kept[product] != vectors.digest(of: vector) {
                    coming.append(product)
                }
            }
        }
        return (coming, gone.sorted())
    }
}
