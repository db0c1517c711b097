// swift-tools-version:6.2
import PackageDescription

// One target a room; Docs/explanation/architecture.md shows how a photo goes through them.

let isFuzzing = Context.environment["IMGREC_FUZZING"] != nil

let room: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
    ]
    // The address sanitizer switches libFuzzer's coverage off; this switches it on again.
    + (isFuzzing ? [.unsafeFlags(["-sanitize-coverage=edge,pc-table,inline-8bit-counters"])] : [])

// The kernels are compiled with optimisation in debug builds too: tests run them over real photos.
// Contraction is off so that every CPU gives the same bits (a fused multiply-add rounds once, not twice). What chooses a kernel for
// the CPU runs before the thread sanitizer does, so it must not call it.
let kernel: [CSetting] = [
    .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-sanitize=thread", "-Wall", "-Wextra", "-Werror"])
]

let strictC: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

// An installed agent finds OpenVINO beside its prefix, a built one in the tree that it was built in.
let openVINOLibraries: [LinkerSetting] = [
    .unsafeFlags([
        "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../lib/imgrec-agent",
        "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../../../.deps/openvino/lib",
    ])
]

let withoutCurl: [LinkerSetting] = [
    .unsafeFlags(["-L\(Context.packageDirectory)/Sources/CNoNetwork/stand-in"])
]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")

// libFuzzer brings the main function, so these are built by Scripts/fuzz only.
let fuzzing: [Target] =
    !isFuzzing
    ? []
    : [
        .executableTarget(
            name: "Fuzzing", dependencies: ["PhotoReading", "Imaging", "Sandbox", "Products"],
            path: "Tests/Fuzzing",
            swiftSettings: room + [.unsafeFlags(["-parse-as-library"])], linkerSettings: openVINOLibraries)
    ]

func rooms(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [],
    settings: [SwiftSetting] = [], tests: [Target.Dependency] = []
) -> [Target] {
    [
        .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: room + settings),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.byName(name: name), "TestSupport"] + dependencies + tests,
            swiftSettings: room,
            linkerSettings: openVINOLibraries),
    ]
}

let package = Package(
    name: "imgrec-agent",
    products: [.executable(name: "imgrec-agent", targets: ["imgrec-agent"])],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
        .package(url: "https://github.com/swiftcsv/SwiftCSV", exact: "0.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
    ],
    targets: [
        // C libraries
        .systemLibrary(name: "CInotifyTools", providers: [.apt(["libinotifytools0-dev"])]),
        .systemLibrary(name: "COpenVINO", pkgConfig: "openvino-c"),

        .target(name: "CLinux"),
        .target(name: "CNoNetwork", exclude: ["stand-in"]),

        // What is C on our side too: longjmp, variadics and codes of many libraries end there.
        .target(
            name: "CImageCodecs", cSettings: strictC,
            linkerSettings: ["jpeg", "png16", "z", "webp", "webpdemux", "gif", "heif", "lcms2"].map {
                .linkedLibrary($0)
            }),
        .target(
            name: "CTOMLPlusPlus",
            cxxSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(name: "CSandbox", cSettings: strictC, linkerSettings: [.linkedLibrary("seccomp")]),

        // Our kernels
        .target(name: "CImagingKernels", cSettings: kernel),
        .target(name: "CNeighbourKernels", cSettings: kernel),

        // The command
        .executableTarget(
            name: "imgrec-agent",
            dependencies: [
                "Products", "Threads", "Settings", "Systemd", "PhotoReading", "Embedding", "Tables",
                "Reconciling", "Hooking", "Control", "Insight", "Service", "Imaging", "CNoNetwork",
                .product(name: "ArgumentParser", package: "swift-argument-parser"), log,
            ],
            swiftSettings: room,
            linkerSettings: openVINOLibraries + withoutCurl),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "imgrec-agent", "TestSupport", "Products", "Catalogue", "Control", "Publishing", "Settings",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: room,
            linkerSettings: openVINOLibraries),
        .executableTarget(
            name: "ReadingBenchmark",
            dependencies: ["PhotoReading", "Imaging", "Products", "Sandbox", "CNoNetwork"],
            path: "Tests/ReadingBenchmark", swiftSettings: room,
            linkerSettings: openVINOLibraries + withoutCurl),
        .executableTarget(
            name: "NeighbourBenchmark",
            dependencies: ["Reconciling", "Catalogue", "Neighbours", "Products", "CNoNetwork"],
            path: "Tests/NeighbourBenchmark", swiftSettings: room,
            linkerSettings: openVINOLibraries + withoutCurl),
        .executableTarget(
            name: "SandboxProbe", dependencies: ["Sandbox"], path: "Tests/SandboxProbe", swiftSettings: room),
        .testTarget(name: "HouseTests", dependencies: ["TestSupport"], swiftSettings: room),
        .target(
            name: "TestSupport", dependencies: ["Products", "Files"], path: "Tests/TestSupport",
            swiftSettings: room),
    ]
        // Words and tools that all rooms may use
        + rooms("Products", [.product(name: "Crypto", package: "swift-crypto")])
        + rooms("Threads", ["Products", "CLinux"])
        + rooms("StrictTOML", ["CTOMLPlusPlus"])
        + rooms("Settings", ["Products", "StrictTOML", "Files"])
        + rooms("Files", ["CLinux"])
        + rooms("Systemd", [log])
        // From the folder to a picture, a vector, neighbours
        + rooms("Watching", ["Products", "Threads", "Files", "CInotifyTools", "CLinux"])
        + rooms(
            "Imaging", ["Products", "CImageCodecs", "CImagingKernels", "CLinux"], tests: ["Settings"])
        + rooms("Sandbox", ["Products", "Files", "CSandbox"], tests: ["SandboxProbe"])
        + rooms("PhotoReading", ["Products", "Settings", "Imaging", "Sandbox"])
        + rooms("Embedding", ["Products", "Files", "StrictTOML", "COpenVINO", "CImagingKernels"])
        + rooms(
            "Embedder",
            ["Products", "Threads", "Settings", "Imaging", "Sandbox", "PhotoReading", "Embedding"])
        // Optimised in debug builds too, as the kernels are: thousands of tables are computed in the tests.
        + rooms(
            "Neighbours", ["Products", "CNeighbourKernels"],
            settings: [.unsafeFlags(["-O"], .when(configuration: .debug))])
        + rooms("Recommending", ["Products"])
        // What lasts, and what the shop writes and reads
        + rooms("Catalogue", ["Products", "Files", "CLinux", grdb, sqlite])
        + rooms(
            "Tables",
            ["Products", "Settings", "Sandbox", "Files", .product(name: "SwiftCSV", package: "SwiftCSV")])
        + rooms(
            "Publishing", ["Products", "Settings", "Files"],
            resources: [
                .embedInCode("Resources/gallery.html"), .embedInCode("Resources/similar-products.js"),
            ])
        // The order of work
        + rooms(
            "Reconciling",
            [
                "Products", "Files", "Settings", "Watching", "Imaging", "Sandbox", "PhotoReading",
                "Embedding",
                "Embedder", "Neighbours", "Recommending", "Catalogue", "Tables", "Publishing",
            ], tests: ["StrictTOML", grdb])
        + rooms(
            "Hooking",
            [
                "Products", "Threads", "Settings", "Catalogue", "Publishing", log,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ])
        + rooms("Control", ["Products", "Settings"])
        + rooms(
            "Insight",
            [
                "Products", "Settings", "Watching", "Imaging", "Sandbox", "PhotoReading", "Embedding",
                "Embedder", "Neighbours", "Catalogue", "Tables", "Publishing", "Reconciling", "Hooking",
                "Control",
            ])
        + rooms(
            "Service",
            [
                "Products", "Threads", "Settings", "Systemd", "Watching", "Sandbox", "Embedding",
                "Catalogue", "Tables", "Publishing", "Reconciling", "Hooking", "Control", "Insight", "CLinux",
                log, lifecycle, .product(name: "FlyingFox", package: "FlyingFox"),
            ])
        + fuzzing,
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx17
)
