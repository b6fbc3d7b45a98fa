// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Primitives

/// Reads a kubeconfig, for a daemon outside of pods (client-go, clientcmd/api/v1).
///
/// It has to be JSON with all files embedded, which kubectl can write: a YAML parser would double the size of the daemon.
package enum Kubeconfig {
    private static let advice =
        "write it with: kubectl config view --raw --minify --flatten -o json"

    private struct File: Decodable {
        struct Named<Value: Decodable>: Decodable {
            var name: String
            var cluster: Value?
            var user: Value?
            var context: Value?
        }
        struct Cluster: Decodable {
            var server: String
            var authority: String?
            var authorityData: Data?
            var serverName: String?
            var isInsecure: Bool?

            enum CodingKeys: String, CodingKey {
                case server
                case authority = "certificate-authority"
                case authorityData = "certificate-authority-data"
                case serverName = "tls-server-name"
                case isInsecure = "insecure-skip-tls-verify"
            }
        }
        struct User: Decodable {
            var token: String?
            var tokenFile: String?
            var certificate: String?
            var certificateData: Data?
            var key: String?
            var keyData: Data?

            enum CodingKeys: String, CodingKey {
                case token, tokenFile
                case certificate = "client-certificate"
                case certificateData = "client-certificate-data"
                case key = "client-key"
                case keyData = "client-key-data"
            }
        }
        struct Context: Decodable {
            var cluster: String
            var user: String
        }
        var clusters: [Named<Cluster>]
        var users: [Named<User>]
        var contexts: [Named<Context>]
        var current: String?

        enum CodingKeys: String, CodingKey {
            case clusters, users, contexts
            case current = "current-context"
        }
    }

    /// The endpoint of the current context.
    ///
    /// - Parameters:
    ///   - bytes: the file's contents.
    ///   - name: the file's name in errors.
    package static func endpoint(_ bytes: [UInt8], name: String) throws(InputError) -> APIEndpoint {
        func unusable(_ code: InputError.Code, _ cause: String, _ advice: String? = nil) -> InputError {
            InputError(code, name, at: "read the kubeconfig", cause, advice: advice)
        }
        guard bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else { throw unusable(.malformed, "not JSON", advice) }
        let file: File
        do { file = try JSONDecoder().decode(File.self, from: Data(bytes)) } catch {
            throw InputError(decoding: name, error, advice: advice)
        }
        guard let context = file.contexts.first(where: { $0.name == file.current })?.context else {
            throw unusable(.missing, "no context \"\(file.current ?? "")\"", "kubectl config use-context sets one")
        }
        guard let cluster = file.clusters.first(where: { $0.name == context.cluster })?.cluster else {
            throw unusable(.missing, "no cluster \"\(context.cluster)\"")
        }
        guard cluster.isInsecure != true else {
            throw unusable(.unsupported, "insecure-skip-tls-verify is not supported", "set the certificate-authority of the cluster")
        }
        let user = file.users.first { $0.name == context.user }?.user
        var endpoint = APIEndpoint(url: cluster.server)
        func material(_ data: Data?, _ path: String?) -> APIEndpoint.Material? {
            data.map { .bytes([UInt8]($0)) } ?? path.map { .file($0) }
        }
        endpoint.authority = material(cluster.authorityData, cluster.authority)
        if let name = cluster.serverName, var url = URLComponents(string: endpoint.url), let host = url.host {
            url.host = name
            endpoint.url = url.string ?? endpoint.url
            endpoint.address = host
        }
        endpoint.token = user?.tokenFile.map { .file($0) } ?? user?.token.map { .bytes([UInt8]($0.utf8)) }
        endpoint.certificate = material(user?.certificateData, user?.certificate)
        endpoint.key = material(user?.keyData, user?.key)
        guard endpoint.token != nil || endpoint.certificate != nil else {
            throw unusable(
                .missing, "user \"\(context.user)\" has neither a token nor a certificate",
                "for users of a login program set --token-file to the output of: kubectl create token")
        }
        return endpoint
    }
}
