import Foundation

/// A folder that is there as long as the value is. What the agent wrote in it has to keep the contract.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        let template = NSTemporaryDirectory() + "/imgrec-agent-test-XXXXXX"
        var name = Array(template.utf8CString)
        guard mkdtemp(&name) != nil else { throw CocoaError(.fileWriteUnknown) }
        path =
            URL(
                fileURLWithPath: String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            )
            .resolvingSymlinksInPath().path
    }

    deinit {
        Contract.check(outputsIn: path)
        guard (try? FileManager.default.removeItem(atPath: path)) == nil else { return }
        // Foundation removes by path, and some tests make what no path is long enough for.
        let removal = try? Process.run(URL(fileURLWithPath: "/bin/rm"), arguments: ["-rf", path])
        removal?.waitUntilExit()
    }

    /// Writes a file and the folders above it.
    package func write(_ name: String, _ content: some Sequence<UInt8>) throws {
        let url = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content).write(to: url)
    }

    /// Every file below the folder with its bytes, without those that go while it is looked through.
    package static func contents(of path: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: path) ?? .init() {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder),
                !isFolder.boolValue
            else { continue }
            do {
                contents[name] = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
            } catch let error as CocoaError where error.code == .fileReadNoSuchFile {}
        }
        return contents
    }
}
