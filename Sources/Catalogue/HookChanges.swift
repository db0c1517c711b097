import Foundation
import GRDB
import Products

/// A product whose file has changed or gone and whom the hook has not been told of.
package struct HookChange: Hashable, Sendable {
    package let product: ProductID
    /// Whether it has no file any more.
    package let isRemoved: Bool
    fileprivate let number: Int
}

extension Catalogue {
    /// What the hook has not been told of, in the order of the ids.
    package func hookChanges() throws(CatalogueError) -> [HookChange] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT hook_change.product, number, publication.digest IS NULL AS is_removed FROM hook_change
                    LEFT JOIN publication USING (product) ORDER BY hook_change.product
                    """
            ).map {
                HookChange(
                    product: ProductID($0["product"] as String), isRemoved: $0["is_removed"],
                    number: $0["number"])
            }
        }
    }

    /// How many products the hook has yet to be notified of.
    package func hookChangeCount() throws(CatalogueError) -> Int {
        try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM hook_change") ?? 0 }
    }

    /// Notes that the hook has been told. What has changed again meanwhile stays.
    package func noteTold(_ changes: [HookChange]) throws(CatalogueError) {
        try write { database in
            for change in changes {
                try database.run(
                    sql: "DELETE FROM hook_change WHERE product = ? AND number = ?",
                    arguments: [change.product.text, change.number])
            }
        }
    }

    /// Notes products for the hook.
    ///
    /// - Parameters:
    ///   - products: whatever the catalogue knows of them.
    ///   - changed: those of them whose file has another digest than the catalogue knows.
    static func noteForHook(
        _ products: [ProductID], changed: [(product: ProductID, digest: ContentDigest)], _ database: Database
    ) throws {
        let number = try Int.fetchOne(database, sql: "SELECT coalesce(max(number), 0) + 1 FROM hook_change")!
        for (product, digest) in changed {
            try database.run(
                sql: """
                    INSERT INTO hook_change (product, number) SELECT ?1, ?2
                        WHERE NOT EXISTS (SELECT 1 FROM publication WHERE product = ?1 AND digest = ?3)
                    ON CONFLICT (product) DO UPDATE SET number = ?2
                    """,
                arguments: [product.text, number, Data(digest.bytes)])
        }
        for product in products {
            try database.run(
                sql: """
                    INSERT INTO hook_change (product, number) VALUES (?1, ?2)
                    ON CONFLICT (product) DO UPDATE SET number = ?2
                    """,
                arguments: [product.text, number])
        }
    }
}
