//! The texts of what holds: tariffs, equipment, quarantine, searches and passwords.

use super::Language;

texts! {
    nav_tariffs: "Biểu phí", "Tariffs";
    nav_equipment: "Thiết bị", "Equipment";
    nav_quarantine: "Cách ly", "Quarantine";
    nav_password: "Đổi mật khẩu", "Own password";

    tariffs_title: "Biểu phí và ngày hiệu lực", "Tariffs and when they hold";
    tariffs_text: "Phiên bản đã ghi sổ không thay đổi. Phiên bản mới do hai người đưa vào; làn nhận bằng lệnh directive của trung tâm.", "A version in the books never changes. A new one is brought in by two people; lanes get it by a directive of the centre.";
    tariff_versions: "Các phiên bản", "Versions";
    holds_from: "Hiệu lực từ", "Holds from";
    holds_until: "đến", "until";
    in_force: "đang áp dụng", "in force";
    published_as: "Văn bản", "Published as";
    no_tariffs: "Chưa có biểu phí nào.", "There is no tariff yet.";
    tariff_propose: "Đề nghị phiên bản mới", "Propose a new version";
    tariff_proposal: "Đề nghị:", "Proposed:";
    tariff_document: "Nội dung", "Document";
    tariff_document_hint: "Tệp biểu phí (TOML), như lệnh tariff lint nhận", "The tariff file (TOML), as the command tariff lint takes it";
    tariff_approve: "Duyệt và ghi sổ", "Approve and take";
    tariff_decline: "Từ chối, rút lại", "Decline";
    tariff_waits: "Chờ người thứ hai duyệt", "Waits for the second person";
    tariff_approved_by: "Được duyệt bởi", "Approved by";
    tariff_declined_by: "Bị từ chối bởi", "Declined by";
    tariff_decided: "Đề nghị này đã được quyết định, hoặc không còn.", "This proposal was decided, or is no longer there.";
    tariff_refused: "Biểu phí không được nhận:", "The tariff was not taken:";
    tariff_in_the_past: "ngày hiệu lực phải ở tương lai, để không làm đổi số tiền đã thu.", "it must begin in the future, so that nothing that was charged would cost another amount.";
    done_tariff_proposed: "Đã đề nghị. Người khác phải duyệt biểu phí.", "Proposed. Another person has to approve the tariff.";
    done_tariff_approved: "Đã duyệt và ghi vào sổ.", "Approved, and in the books.";
    done_tariff_declined: "Đã từ chối.", "Declined.";

    equipment_title: "Làn, khóa và chứng thực", "Lanes, keys and credentials";
    equipment_text: "Khóa và chứng thực được cấp, thu hồi bằng lệnh clearing-house, nơi có khóa của trung tâm.", "Keys and credentials are issued and revoked by clearing-house commands, where the keys of the centre are.";
    lane_role: "Loại làn", "Kind of lane";
    lane_key: "Khóa ký", "Signing key";
    credential: "Chứng thực với bộ chuyển tin", "Credential of the broker";
    epoch: "Nhật ký số", "Journal epoch";
    receipts: "Biên nhận / đã ghi", "Receipts / stored";
    no_key: "chưa có khóa", "no key";
    no_credential: "chưa cấp", "none issued";
    revoked: "bị thu hồi", "revoked";
    ended: "hết hạn", "ended";
    account_list: "Danh sách tài khoản gửi đến làn", "Account list that lanes are told";
    tags_in_list: "thẻ trong danh sách (số gần đúng khi nhiều)", "tags in the list (about, where there are many)";
    issued_at: "Lập lúc nào", "Issued";
    published_at: "Gửi lúc", "Published";
    no_list: "Chưa có danh sách nào.", "No list was issued yet.";

    direct_title: "Chế độ làn do trung tâm chỉ thị", "Modes directed by the centre";
    direct_ask: "Chỉ thị chế độ làn", "Direct a lane's mode";
    direct_text: "Trung tâm ký và gửi cho làn; giữ đến chỉ thị tiếp theo hoặc lệnh của bàn tại trạm. Đóng làn, bảo trì và mở lại cần người thứ hai.", "The centre signs it and sends it; it holds until the next directive, or until the station's desk orders another. Closing a lane, maintenance, and ending either take a second person.";
    direct_reason: "Lý do chỉ thị", "Why";
    direct_asked_by: "Người yêu cầu", "Asked by";
    direct_agreed_by: "Người đồng ý", "Agreed to by";
    direct_agree: "Đồng ý", "Agree";
    direct_none: "Chưa có chỉ thị nào.", "Nothing was directed yet.";
    direct_awaits_second: "Chờ người thứ hai đồng ý", "Waits for a second person";
    direct_awaits_centre: "Chờ trung tâm ký", "Waits for the centre's signature";
    direct_lapsed: "Không được gửi: quá một giờ, hoặc đã có chỉ thị khác định trước", "Not sent: older than an hour, or something else is planned";
    direct_silent: "chưa nghe làn trả lời", "nothing heard of the lane";
    direct_not_yet: "làn chưa làm theo", "the lane does not work so yet";
    direct_followed: "làn đang làm theo", "the lane works by it";
    direct_overtaken: "đã có chỉ thị mới hơn", "a newer one is in force";
    direct_planned: "Đã có chỉ thị định trước cho làn này; chỉ thị mới sẽ thay nó. Hãy dùng lệnh lane order.", "A directive for this lane begins later, and this one would take its place. Use the command lane order.";
    done_mode_asked: "Đã yêu cầu. Trung tâm ký và gửi trong vài giây.", "Asked for. The centre signs and sends it within seconds.";
    done_mode_proposed: "Đã yêu cầu. Người khác phải đồng ý.", "Asked for. Another person has to agree.";
    done_mode_agreed: "Đã đồng ý. Trung tâm ký và gửi trong vài giây.", "Agreed. The centre signs and sends it within seconds.";
    act_ask_mode: "Yêu cầu chế độ làn", "Mode of a lane asked for";
    act_agree_mode: "Đồng ý chế độ làn", "Mode of a lane agreed to";
    act_decline_mode: "Từ chối chế độ làn", "Mode of a lane declined";

    quarantine_text: "Những gì nhận được nhưng không xử lý được, giữ nguyên từng byte; dữ liệu cá nhân được che.", "What came and could not be taken, kept to the byte; personal data is masked.";
    came_on: "Nhận trên", "Came on";
    bytes: "byte dữ liệu", "bytes";
    nothing_in_quarantine: "Không có gì bị cách ly.", "Nothing is in quarantine.";

    account: "Tài khoản", "Account";
    passage_number: "Số lượt xe đầy đủ", "Passage number";
    find_personal: "Tìm theo biển số hoặc thẻ", "Find by plate or tag";
    find_by: "Tìm theo", "Find by";
    find_what: "Biển số hoặc số thẻ đầy đủ", "The whole plate or tag";
    find_text: "Việc tra cứu được ghi vào nhật ký, không ghi biển số. Kết quả vẫn được che.", "The search is written into the audit log, without the plate. What is found stays masked.";
    wrong_personal_search: "Hãy nhập đủ biển số hoặc số thẻ.", "Enter the whole plate or tag.";

    password_old: "Mật khẩu hiện tại", "Present password";
    password_new: "Mật khẩu mới", "New password";
    password_again: "Nhập lại mật khẩu mới", "New password again";
    password_change: "Đổi", "Change it";
    password_text: "Ít nhất 12 ký tự. Có hiệu lực tại bàn điều hành này; các phiên khác của bạn kết thúc.", "At least 12 characters. It holds at this console; your other sessions end.";
    passwords_differ: "Hai lần nhập mật khẩu mới không giống nhau.", "The new password was not typed the same twice.";
    password_length: "Mật khẩu mới cần 12 đến 256 ký tự.", "The new password needs 12 to 256 characters.";
    password_is_the_old: "Mật khẩu mới trùng mật khẩu hiện tại.", "The new password is the present one.";
    password_old_wrong: "Mật khẩu hiện tại không đúng.", "The present password is not right.";
}
