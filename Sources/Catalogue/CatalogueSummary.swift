import Foundation
import GRDB
import Products

/// What is in the catalogue, in numbers.
package struct CatalogueSummary: Hashable, Sendable {
    /// The model whose neighbours the table has.
    package let model: ModelRecord?
    /// The model that is to take over.
    package let coming: ComingModel?
    package let products: Int
    package let ready: Int
    package let failed: Int
    package let embeddings: Int
    /// Products whose file is not known to be up to date.
    package let due: Int
    /// Whether neighbour rows are behind the vectors or behind what is computed of them, or lists behind these rows.
    package let isRankingDue: Bool
    /// How often the files of the output folder have changed.
    package let generation: Int
    /// Whether removals are held back until somebody confirms or the photos are back.
    package let isHeldBack: Bool

    /// Of a catalogue that there is not yet.
    package static let empty = CatalogueSummary(
        model: nil, coming: nil, products: 0, ready: 0, failed: 0, embeddings: 0, due: 0, isRankingDue: false,
        generation: 0,
        isHeldBack: false)
}

/// When the whole folder was last compared, and what was found.
package struct LastReconcile: Hashable, Sendable {
    /// Seconds since 1970.
    package let endedAt: Double
    /// JSON.
    package let report: String

    package init(endedAt: Double, report: String) {
        self.endedAt = endedAt
        self.report = report
    }
}

extension Catalogue {
    /// As of one moment. Counts whole tables: the time grows with them.
    package func summary() throws(CatalogueError) -> CatalogueSummary {
        try read { database in
            func count(_ sql: String) throws -> Int { try Int.fetchOne(database, sql: sql) ?? 0 }
            return CatalogueSummary(
                model: try Self.model(.inService, database)?.record,
                coming: try Self.comingModel(database),
                products: try count("SELECT count(*) FROM product"),
                ready: try count("SELECT count(*) FROM image WHERE state = 'ready'"),
                failed: try count("SELECT count(*) FROM image WHERE state = 'failed'"),
                embeddings: try count("SELECT count(*) FROM embedding"),
                due: try count("SELECT count(*) FROM publication WHERE is_due = 1"),
                isRankingDue: try count(
                    """
                    SELECT EXISTS (SELECT 1 FROM unranked) OR EXISTS (SELECT 1 FROM unrecommended)
                    OR EXISTS (SELECT 1 FROM ranking JOIN model ON model.id = ranking.model WHERE is_ahead)
                    """) == 1,
                generation: try count("SELECT generation FROM ranking"),
                isHeldBack: try count("SELECT is_held_back FROM ranking") == 1)
        }
    }

    /// Nil before a running agent has finished its first comparison of the whole folder.
    package func lastReconcile() throws(CatalogueError) -> LastReconcile? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT ended_at, report FROM last_reconcile").map {
                LastReconcile(endedAt: $0["ended_at"], report: $0["report"])
            }
        }
    }

    /// Keeps this one in the place of the one before.
    package func note(_ reconcile: LastReconcile) throws(CatalogueError) {
        try write { database in
            try database.run(
                sql: "INSERT OR REPLACE INTO last_reconcile (id, ended_at, report) VALUES (1, ?, ?)",
                arguments: [reconcile.endedAt, reconcile.report])
        }
    }
}
