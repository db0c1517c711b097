import Files
import Foundation
import Sandbox
import SwiftCSV

/// A CSV file whose first line names its columns, as spreadsheets write it: commas, semicolons or tabs.
package struct NamedTable {
    /// In the order of the file, without white space around them. They may be empty, and the same.
    package let columns: [String]
    /// As many cells as there are columns.
    package let rows: [[String]]

    /// How long the file of a command may be.
    private static let mostBytes = 1 << 30

    /// - Parameters:
    ///   - file: may be a pipe.
    ///   - remedy: what to do where there is no such file.
    package init(file: String, remedy: String) throws(TableError) {
        let (bytes, failure) = SystemFiles().contents(ofFile: file, limit: Self.mostBytes)
        if let failure {
            guard failure != EFBIG else { throw .notReached(file: file, .tooLarge(limit: Self.mostBytes)) }
            guard let reason = FileWorkerFailure(looking: failure) else {
                throw .none(file: file, remedy: remedy)
            }
            throw .notReached(file: file, reason)
        }
        try self.init(Data(bytes), file: file)
    }

    /// - Parameter file: its name, for errors.
    package init(_ data: Data, file: String) throws(TableError) {
        guard let text = String(validating: data, as: UTF8.self) else {
            throw .bad(file: file, reason: "it is not UTF-8", remedy: "Save it as \"CSV UTF-8\".")
        }
        let table: CSV<Enumerated>
        do {
            table = try CSV<Enumerated>(string: text, loadColumns: false)
        } catch {
            let reason =
                switch error as? CSVParseError {
                case .quotation(let message), .generic(let message): message
                case nil: "\(error)"
                }
            throw .bad(
                file: file, reason: reason.split(whereSeparator: \.isWhitespace).joined(separator: " "),
                remedy: "Put each cell that has quotation marks into quotation marks, and double its own.")
        }
        let names = table.header.map { $0.trimmingCharacters(in: .whitespaces) }
        columns = names
        rows = table.rows.map { row in
            Array((row + Array(repeating: "", count: names.count)).prefix(names.count))
        }
    }
}
