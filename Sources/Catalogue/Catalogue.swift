// Catalogue: everything that must survive a restart, in one SQLite database.
//
// Photos, their vectors, the products they form, each product's nearest neighbours, and what has been
// published. A vector belongs to a content and a model, so a photo that is renamed or copied is never
// embedded twice. Whatever stops the program, the database holds a state from which the next run goes on:
// each method that changes something is one transaction.

import Foundation
import GRDB
import Products

/// An open catalogue. Methods wait for the disk; call them from threads that may wait. Reads may run on
/// several threads beside one write.
package final class Catalogue: Sendable {
    let database: DatabasePool
    package let file: String
    /// Where the catalogue and what belongs to it lie.
    package let stateFolder: String

    package static let fileName = "catalogue.sqlite"

    /// Opens the catalogue in a state folder, and makes both where they are missing.
    package init(stateFolder: String) throws(CatalogueError) {
        let file = "\(stateFolder)/\(Self.fileName)"
        do {
            try FileManager.default.createDirectory(atPath: stateFolder, withIntermediateDirectories: true)
        } catch {
            throw .cannotCreate(folder: stateFolder, reason: "\(error.localizedDescription)")
        }
        self.file = file
        self.stateFolder = stateFolder
        database = try attempt(file) {
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.label = "catalogue"
            // Pages that a long transaction changes; SQLite's default of 2 MB would be written and read many times.
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA cache_size = -32768") }
            let pool = try DatabasePool(path: file, configuration: configuration)
            if try pool.read(Schema.migrator.hasBeenSuperseded) {
                throw CatalogueError.fromNewerVersion(file: file)
            }
            try Schema.migrator.migrate(pool)
            return pool
        }
    }

    /// Opens an existing catalogue; nil where there is none yet.
    package static func existing(stateFolder: String) throws(CatalogueError) -> Catalogue? {
        guard FileManager.default.fileExists(atPath: "\(stateFolder)/\(fileName)") else { return nil }
        return try Catalogue(stateFolder: stateFolder)
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(CatalogueError) -> Value {
        try attempt(file) { try database.read(body) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(CatalogueError) -> Value {
        try attempt(file) { try database.write(body) }
    }
}

/// Runs a body and turns GRDB's errors into ours.
func attempt<Value>(_ file: String, _ body: () throws -> Value) throws(CatalogueError) -> Value {
    do {
        return try body()
    } catch let error as CatalogueError {
        throw error
    } catch let error as DatabaseError {
        throw CatalogueError(file: file, error)
    } catch {
        throw .failed(file: file, message: "\(error)")
    }
}

extension Database {
    /// Executes one statement, compiled once for a connection.
    func run(sql: String, arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
