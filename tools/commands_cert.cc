// ccr cert ca, issue, request, renew, show: certificates for mutual TLS.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "engine/certificate_dates.h"
#include "tools/certificate_directory.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/terminal.h"
#include "tools/text_table.h"
#include "transport/tls_files.h"

namespace ccr::tools {
namespace {

using nlohmann::json;
using transport::CertificateFacts;

constexpr std::size_t passphrase_bytes_min = 12, passphrase_bytes_max = 1023;  // OpenSSL reads at most 1,024

std::int64_t days_left(const CertificateFacts& facts) {
  const transport::OwnCertificate dates{"", "", facts.not_before, facts.not_after};
  return engine::days_left(dates, SystemClock().wall_now());
}

json facts_json(const CertificateFacts& facts) {
  return {{"subject", facts.subject},
          {"issuer", facts.issuer},
          {"names", facts.uris},
          {"authority", facts.authority},
          {"valid_from", to_rfc3339(facts.not_before)},
          {"valid_until", to_rfc3339(facts.not_after)},
          {"days_left", days_left(facts)},
          {"key", facts.key},
          {"key_sha256", facts.key_fingerprint},
          {"serial", facts.serial},
          {"sha256", facts.fingerprint}};
}

std::string facts_text(const CertificateFacts& facts) {
  std::string names;
  for (const std::string& uri : facts.uris) names += (names.empty() ? "" : ", ") + uri;
  const std::int64_t left = days_left(facts);
  const std::string rest = left >= 0 ? fmt::format("{} days left", left) : fmt::format("expired {} days ago", -left);
  return fmt::format(
      "  name       {}{}\n  signed by  {}\n  valid      {} to {}, {}\n  key        {}, SHA-256 {}\n  serial     {}\n  SHA-256    {}\n",
      names.empty() ? "none" : names, facts.authority ? ", an authority" : "", facts.issuer, to_rfc3339(facts.not_before),
      to_rfc3339(facts.not_after), rest, facts.key, facts.key_fingerprint, facts.serial, facts.fingerprint);
}

Result<int> days_of(const CertOptions& options, int otherwise) {
  const int days = options.days == 0 ? otherwise : options.days;
  if (days > 0 && days <= transport::days_max) return days;
  return Error{ErrorKind::usage, fmt::format("--days {}: expected 1 to {}", days, transport::days_max), ""};
}

Result<std::string> cluster_of(const CommonOptions& common, const CertOptions& options) {
  if (!options.cluster.empty()) return options.cluster;
  const Result<std::string> text = read_config_text(common.config_file);
  if (!text.ok())
    return Error{ErrorKind::usage, "which cluster? There is no configuration to say it: " + text.error().message,
                 "--cluster NAME, or --config FILE"};
  const Result<engine::Config> config = engine::parse_config(*text, common.config_file, "");
  if (!config.ok()) return config.error();
  return config->cluster;
}

// What a command made, or with --dry-run would make.
ExitCode show_made(const CommonOptions& common, const CertOptions& options, const std::vector<std::string>& files,
                   const CertificateFacts& facts, const std::string& next) {
  if (common.json) {
    print_json({{"dry_run", options.dry_run}, {"files", files}, {"certificate", facts_json(facts)}});
    return ExitCode::done;
  }
  std::string text;
  for (const std::string& file : files) text += (options.dry_run ? "would write " : "") + file + "\n";
  print(text + facts_text(facts));
  if (!options.dry_run) note(next);
  return ExitCode::done;
}

// Empty where none was asked for.
Result<std::string> passphrase_of(const CertOptions& options) {
  if (options.passphrase_file.empty()) return std::string();
  std::string line;
  if (options.passphrase_file == "-") {
    line = read_secret_line("passphrase of ca.key: ");
  } else {
    Result<std::string> text = transport::read_pem_file(options.passphrase_file, transport::FileSecrecy::secret);
    if (!text.ok()) return text;
    line = text->substr(0, text->find_first_of("\r\n"));
  }
  if (line.size() >= passphrase_bytes_min && line.size() <= passphrase_bytes_max) return line;
  return Error{ErrorKind::usage, fmt::format("a passphrase of {} bytes: expected {} to {}, on one line", line.size(), passphrase_bytes_min, passphrase_bytes_max), ""};
}

Result<transport::KeyPair> authority_for(const CertificateDirectory& directory, const CertOptions& options) {
  const Result<std::string> passphrase = passphrase_of(options);
  if (!passphrase.ok()) return passphrase.error();
  Result<transport::KeyPair> authority = directory.authority(*passphrase);
  if (!authority.ok()) return authority;
  const CertificateFacts facts = transport::facts_of(*authority->certificate);
  if (options.cluster.empty() || (facts.name && facts.name->cluster == options.cluster)) return authority;
  return Error{ErrorKind::usage,
               fmt::format("the authority in {} is {}, not of cluster {}", options.directory, facts.subject, options.cluster), ""};
}

bool is_node_name(const std::string& node) { return transport::parse_node_name("ccr://cluster/" + node).has_value(); }

Error not_a_node(const std::string& node) {
  return {ErrorKind::usage, "'" + node + "' is no node's name: expected letters, digits, - and _", ""};
}

ExitCode sign_request(const CommonOptions& common, const CertOptions& options, const transport::KeyPair& authority,
                      transport::Validity validity) {
  const CertificateDirectory directory(options.directory);
  const Result<void> free = directory.expect_no_certificate(options.node);
  if (!free.ok()) return report(free.error());
  const Result<std::string> pem = transport::read_pem_file(options.request, transport::FileSecrecy::open);
  if (!pem.ok()) return report(pem.error());
  const Result<transport::RequestHandle> request = transport::read_request(*pem);
  if (!request.ok()) return report(request.error().within("'" + options.request + "'"));
  const Result<transport::CertificateHandle> made = transport::issue_requested(authority, options.node, **request, validity);
  if (!made.ok()) return report(made.error().within("'" + options.request + "'"));
  if (!options.dry_run) {
    const Result<void> written = directory.create(options.node, **made);
    if (!written.ok()) return report(written.error());
  }
  return show_made(common, options, {directory.certificate_path(options.node)}, transport::facts_of(**made),
                   fmt::format("is the key's SHA-256 the one that {0} showed? Then: copy ca.pem and {0}.pem to where [tls] says, on {0}", options.node));
}

}  // namespace

ExitCode run_cert_ca(const CommonOptions& common, const CertOptions& options) {
  const Result<std::string> cluster = cluster_of(common, options);
  if (!cluster.ok()) return report(cluster.error());
  if (!is_node_name(*cluster))
    return report({ErrorKind::usage, "'" + *cluster + "' is no cluster's name: expected letters, digits, - and _", ""});
  const Result<int> days = days_of(options, transport::authority_days_default);
  if (!days.ok()) return report(days.error());
  const Result<std::string> passphrase = passphrase_of(options);
  if (!passphrase.ok()) return report(passphrase.error());
  const CertificateDirectory directory(options.directory);
  const Result<void> free = directory.expect_free("ca");
  if (!free.ok()) return report(free.error());
  const Result<transport::KeyPair> made =
      transport::make_authority(*cluster, transport::validity_from(SystemClock().wall_now(), *days));
  if (!made.ok()) return report(made.error());
  if (!options.dry_run) {
    const Result<void> there = directory.make();
    if (!there.ok()) return report(there.error());
    const Result<void> written = directory.create("ca", *made, *passphrase);
    if (!written.ok()) return report(written.error());
  }
  const std::vector<std::string> files{directory.certificate_path("ca"), directory.key_path("ca")};
  return show_made(common, options, files, transport::facts_of(*made->certificate),
                   "keep ca.key off the nodes; next: ccr cert issue NODE --out " + options.directory);
}

ExitCode run_cert_issue(const CommonOptions& common, const CertOptions& options) {
  if (!is_node_name(options.node) || options.node == "ca") return report(not_a_node(options.node));
  const Result<int> days = days_of(options, transport::node_days_default);
  if (!days.ok()) return report(days.error());
  const CertificateDirectory directory(options.directory);
  const Result<transport::KeyPair> authority = authority_for(directory, options);
  if (!authority.ok()) return report(authority.error());
  const transport::Validity validity = transport::validity_from(SystemClock().wall_now(), *days);
  if (!options.request.empty()) return sign_request(common, options, *authority, validity);
  const Result<void> free = directory.expect_free(options.node);
  if (!free.ok()) return report(free.error());
  const Result<transport::KeyPair> made = transport::issue_node(*authority, options.node, validity);
  if (!made.ok()) return report(made.error());
  if (!options.dry_run) {
    const Result<void> written = directory.create(options.node, *made);
    if (!written.ok()) return report(written.error());
  }
  const std::vector<std::string> files{directory.certificate_path(options.node), directory.key_path(options.node)};
  return show_made(common, options, files, transport::facts_of(*made->certificate),
                   fmt::format("next: copy ca.pem, {0}.pem and {0}.key to where [tls] says, on {0} only", options.node));
}

ExitCode run_cert_request(const CommonOptions& common, const CertOptions& options) {
  if (!is_node_name(options.node) || options.node == "ca") return report(not_a_node(options.node));
  const CertificateDirectory directory(options.directory);
  const Result<void> free = directory.expect_free(options.node);
  if (!free.ok()) return report(free.error());
  const Result<transport::NodeRequest> made = transport::make_request(options.node);
  if (!made.ok()) return report(made.error());
  if (!options.dry_run) {
    const Result<void> there = directory.make();
    if (!there.ok()) return report(there.error());
    const Result<void> written = directory.create(options.node, *made);
    if (!written.ok()) return report(written.error());
  }
  const std::string fingerprint = transport::facts_of(*made->request).key_fingerprint;
  const std::vector<std::string> files{directory.request_path(options.node), directory.key_path(options.node)};
  if (common.json) {
    print_json({{"dry_run", options.dry_run}, {"files", files}, {"node", options.node}, {"key_sha256", fingerprint}});
    return ExitCode::done;
  }
  for (const std::string& file : files) print((options.dry_run ? "would write " : "") + file + "\n");
  print(fmt::format("  key        SHA-256 {}\n", fingerprint));
  if (!options.dry_run)
    note(fmt::format("next, where ca.key is, with {0}.csr: ccr cert issue {0} --request {0}.csr --out DIR; compare the key's SHA-256 there", options.node));
  return ExitCode::done;
}

ExitCode run_cert_renew(const CommonOptions& common, const CertOptions& options) {
  if (!is_node_name(options.node) || options.node == "ca") return report(not_a_node(options.node));
  const Result<int> days = days_of(options, transport::node_days_default);
  if (!days.ok()) return report(days.error());
  const CertificateDirectory directory(options.directory);
  const Result<transport::KeyPair> authority = authority_for(directory, options);
  if (!authority.ok()) return report(authority.error());
  const Result<transport::CertificateHandle> previous = directory.certificate(options.node);
  if (!previous.ok()) return report(previous.error());
  const transport::Validity validity = transport::validity_from(SystemClock().wall_now(), *days);
  const Result<transport::CertificateHandle> made = transport::renew_node(*authority, **previous, validity);
  if (!made.ok()) return report(made.error());
  const CertificateFacts facts = transport::facts_of(**made);
  if (facts.name->node != options.node) {
    return report({ErrorKind::refused, "'" + directory.certificate_path(options.node) + "' names " + facts.name->text(), ""});
  }
  if (!options.dry_run) {
    const Result<void> written = directory.replace(options.node, **made);
    if (!written.ok()) return report(written.error());
  }
  return show_made(common, options, {directory.certificate_path(options.node)}, facts,
                   fmt::format("the key is the same; next: copy {0}.pem to {0}, then send ccr there SIGHUP (systemctl reload ccr)",
                               options.node));
}

ExitCode run_cert_show(const CommonOptions& common, const std::vector<std::string>& files) {
  json list = json::array();
  std::string text;
  for (const std::string& file : files) {
    const Result<std::string> pem = transport::read_pem_file(file, transport::FileSecrecy::open);
    if (!pem.ok()) return report(pem.error());
    const Result<std::vector<transport::CertificateHandle>> certificates = transport::read_certificates(*pem);
    if (!certificates.ok()) return report(certificates.error().within("'" + file + "'"));
    for (const transport::CertificateHandle& certificate : *certificates) {
      const CertificateFacts facts = transport::facts_of(*certificate);
      json one = facts_json(facts);
      one["file"] = file;
      list.push_back(std::move(one));
      text += escaped(file) + "\n" + facts_text(facts);
    }
  }
  if (common.json) {
    print_json({{"certificates", std::move(list)}});
  } else {
    print(text);
  }
  return ExitCode::done;
}

}  // namespace ccr::tools
