import Foundation
import TestSupport

/// A shop of a test's own: photos, settings, and the built binary to drive.
final class Shop: Sendable {
    let folder: TemporaryFolder
    var photos: String { "\(folder.path)/photos" }
    var output: String { "\(folder.path)/out" }
    var state: String { "\(folder.path)/state" }
    var settings: String { "\(folder.path)/shop.toml" }

    static let binary = Repository.agent

    /// - Parameters:
    ///   - perCategory: so many photos of each folder of the catalogue; nil for all.
    ///   - extra: lines for the settings file.
    init(perCategory: Int?, extra: String = "") throws {
        folder = try TemporaryFolder()
        let manager = FileManager.default
        try manager.createDirectory(atPath: photos, withIntermediateDirectories: true)
        if perCategory != 0 {
            for category in try manager.contentsOfDirectory(atPath: Repository.catalogue)
            where !category.contains(".") {
                try manager.createDirectory(
                    atPath: "\(photos)/\(category)", withIntermediateDirectories: true)
                let names = try manager.contentsOfDirectory(atPath: "\(Repository.catalogue)/\(category)")
                    .sorted()
                for name in names.prefix(perCategory ?? names.count) {
                    try manager.copyItem(
                        atPath: "\(Repository.catalogue)/\(category)/\(name)",
                        toPath: "\(photos)/\(category)/\(name)")
                }
            }
        }
        try configure(extra)
    }

    /// Adds photos until there are so many: those of the catalogue again, a comment making each a content of its own.
    func multiply(to count: Int) throws {
        for index in 0..<count - Repository.photos.count {
            let path = Repository.photos[index % Repository.photos.count]
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(Repository.catalogue)/\(path)"))
            let note = Array("copy \(index)".utf8)
            try folder.write(
                "photos/more/\(index).jpg",
                bytes.prefix(2) + [0xFF, 0xFE, 0, UInt8(note.count + 2)] + note + bytes.dropFirst(2))
        }
    }

    /// - Parameters: lines for the settings file, and for its tables of images and output.
    func configure(_ extra: String, images: String = "", output: String = "") throws {
        let text = """
            [images]
            folder = "photos"
            \(images)[output]
            folder = "out"
            \(output)[state]
            folder = "state"

            """
        // Whoever is being started may be reading it.
        try Data((text + extra).utf8).write(to: URL(fileURLWithPath: settings), options: .atomic)
    }

    struct Result {
        let code: Int32
        let output: String
        let errors: String

        /// The output, which is JSON, as this type.
        func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(output.utf8))
        }
    }

    /// Runs the binary with these settings and waits.
    @discardableResult
    func run(_ arguments: String..., under wrapper: [String] = []) throws -> Result {
        try Self.run(wrapper + [Self.binary] + arguments + ["--config", settings])
    }

    @discardableResult
    static func run(_ command: [String]) throws -> Result {
        let process = try start(command)
        // Both pipes are read while it runs: a full pipe would stop it.
        let errors = Mailbox()
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) { [handle = process.errors] in
            errors.put(handle.readDataToEndOfFile())
        }
        let output = process.output.readDataToEndOfFile()
        group.wait()
        process.process.waitUntilExit()
        return Result(
            code: process.process.terminationStatus, output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors.take(), as: UTF8.self))
    }

    /// Makes a program of a C file, with the compiler that Swift brings.
    static func compile(_ source: String, to program: String, _ options: String) throws {
        let result = try run([
            "sh", "-c",
            """
            PATH="$(dirname "$(readlink -f "$(command -v swift)")"):$PATH"
            exec clang -Wall -Werror -O1 -o "$1" "$2" \(options)
            """, "sh", program, source,
        ])
        guard result.code == 0 else { throw Failure(message: result.errors) }
    }

    struct Running {
        let process: Process
        let output: FileHandle
        let errors: FileHandle
    }

    /// Starts a command and does not wait.
    static func start(_ command: [String]) throws -> Running {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return Running(
            process: process, output: output.fileHandleForReading, errors: errors.fileHandleForReading)
    }

    /// What a run over the same photos with nothing known writes.
    ///
    /// - Parameters: lines for the settings file, and for its table of output.
    func cleanRun(extra: String = "", output: String = "") throws -> [String: Data] {
        let fresh = try Shop(perCategory: 0)
        try fresh.configure(extra, output: output)
        try FileManager.default.removeItem(atPath: fresh.photos)
        try FileManager.default.copyItem(atPath: photos, toPath: fresh.photos)
        let result = try fresh.run("reconcile")
        guard result.code == 0 else { throw Failure(message: result.errors) }
        return try fresh.files()
    }

    /// Every file of the output folder with its bytes.
    func files() throws -> [String: Data] { try TemporaryFolder.contents(of: output) }

    struct Failure: Error { let message: String }
}

/// Passes bytes from one thread to another.
private final class Mailbox: @unchecked Sendable {  // every access holds the lock
    private let lock = NSLock()
    private var data = Data()
    func put(_ new: Data) { lock.withLock { data = new } }
    func take() -> Data { lock.withLock { data } }
}

/// The parts of `reconcile --json` that tests look at.
struct Report: Decodable {
    struct Failure: Decodable {
        let path: String
        let reason: String
    }
    struct Published: Decodable {
        let written: Int
        let unchanged: Int
        let removed: Int
    }
    struct Change: Decodable {
        let action: String
        let path: String
    }
    let plan: [Change]?
    let added: Int
    let changed: Int
    let removed: Int
    let unchanged: Int
    let modelChanged: Int
    let read: Int
    let embedded: Int
    let failed: [Failure]
    let heldBack: Int
    let products: Int
    let published: Published
}

/// A product's document, as a reader of the contract sees it.
struct Document: Decodable {
    struct Recommendation: Decodable {
        let product: String
        let image: String
        let score: Double
    }
    let schemaVersion: Int
    let product: String
    let images: [String]
    let model: String
    let recommendations: [Recommendation]
}
