import Foundation
import Products
import TestSupport
import Testing

@testable import Tables

@Suite("Tables")
struct AttributeTableTests {
    private func table(_ text: String) throws -> AttributeTable {
        let folder = try TemporaryFolder()
        try folder.write("a.csv", Array(text.utf8))
        return try AttributeTable(file: "\(folder.path)/a.csv", DirectTableFiles(limit: 1 << 20))
    }

    private func attributes(_ pairs: KeyValuePairs<String, String>) -> ProductAttributes {
        ProductAttributes(pairs.map { .init(name: $0.key, value: $0.value) })
    }

    @Test(
        "a product's attributes are its cells that are not empty, in the order of the columns",
        arguments: [",", ";", "\t"])
    func rows(separator: String) throws {
        let lines = [
            ["title", "Product", "price"], ["Blue, long", "a", "1"], ["", "b", "2"], ["x", "", "3"],
        ]
        let text = lines.map { $0.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: separator) }
        let table = try table(text.joined(separator: "\n"))
        #expect(table.rows.count == 2)
        #expect(table.rows[ProductID("a")] == attributes(["title": "Blue, long", "price": "1"]))
        #expect(table.rows[ProductID("b")] == attributes(["price": "2"]))
        #expect(table.rows[ProductID("c")] == nil)
    }

    @Test(
        "what is no table is refused with the reason",
        arguments: [
            ("name,price\na,1", "column \"product\""), ("product,a,a\nx,1,2", "two columns are called a"),
            ("product,\nx,1", "column 2 has no name"), ("product,a\nx,1\nx,2", "more than once"),
            ("product,a\nx,1\"2", "quotation marks"),
        ])
    func refused(text: String, reason: String) {
        let error = #expect(throws: TableError.self) { try table(text) }
        #expect(error?.description.contains(reason) == true)
        #expect(error?.systemExit == .dataError)
    }

    @Test("a file that is not there is another error than one that is no table")
    func missing() {
        let error = #expect(throws: TableError.self) {
            try AttributeTable(file: "/nowhere/a.csv", DirectTableFiles(limit: 1 << 20))
        }
        #expect(error?.systemExit == .noInput)
    }

    @Test("a file that is larger than it may be is not read")
    func large() throws {
        let folder = try TemporaryFolder()
        let text = "product,price\na,1\n"
        try folder.write("a.csv", Array(text.utf8))
        let file = "\(folder.path)/a.csv"
        #expect(try AttributeTable(file: file, DirectTableFiles(limit: text.utf8.count)).rows.count == 1)
        let error = #expect(throws: TableError.self) {
            try AttributeTable(file: file, DirectTableFiles(limit: text.utf8.count - 1))
        }
        #expect(error?.description.contains("output.attributes_max_bytes") == true)
    }

    @Test(
        "a file that cannot be read for the moment is not taken for one that is not there, whichever call fails",
        arguments: [EIO, EMFILE, ESTALE])
    func faults(number: Int32) throws {
        let folder = try TemporaryFolder()
        try folder.write("a.csv", Array("product,price\na,1\n".utf8))
        let file = "\(folder.path)/a.csv"
        var call = 1
        while true {
            let fault = FailingFiles.Fault.errno(number)
            let files = FailingFiles(fault, at: call, isLasting: false, of: FailingFiles.kinds(of: fault))
            do throws(TableError) {
                let table = try AttributeTable(file: file, DirectTableFiles(limit: 1 << 20, files: files))
                #expect(files.injected.isEmpty && table.rows.count == 1)
            } catch {
                #expect(error == .notReached(file: file, .failed(errno: number)))
                #expect(error.description.contains(errnoText(number)))
            }
            if files.injected.isEmpty { break }
            call += 1
        }
        print("table, \(errnoText(number)): \(call - 1) faults injected")
        #expect(call > 1)
    }
}
