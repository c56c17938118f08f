//! The texts of administration: people, and keys of the HTTP API.

use super::Language;

texts! {
    nav_keys: "Khóa API", "API keys";
    act_make_key: "Tạo khóa API", "API key made";
    act_revoke_key: "Thu hồi khóa API", "API key revoked";
    deed_person_proposed: "Đề nghị thay đổi người dùng", "Change of a user proposed";
    deed_person_declined: "Từ chối thay đổi người dùng", "Change of a user declined";
    person_added: "Thêm người dùng", "User added";
    person_rights: "Đổi vai trò và phạm vi", "Roles and scope changed";
    person_password: "Cấp mật khẩu mới", "New password given";
    person_factor: "Cấp xác thực bước hai mới", "New second factor given";
    person_ended: "Ngừng người dùng", "User ended";
    person_returned: "Cho người dùng trở lại", "User let in again";

    people_add: "Thêm một người", "Add a person";
    people_rights: "Vai trò và phạm vi mới", "New roles and scope";
    people_other: "Mật khẩu, xác thực, ngừng", "Password, second factor, end";
    people_name: "Tên đăng nhập", "Name to log in with";
    people_scope_hint: "* hoặc ĐƠN-VỊ hoặc ĐƠN-VỊ/TRẠM", "* or OPERATOR or OPERATOR/STATION";
    people_account: "Số tài khoản (chỉ chủ tài khoản)", "Account (an account holder's alone)";
    people_what: "Việc cần làm", "What is to be done";
    people_do: "Thực hiện", "Do it";
    people_waits: "Chờ quản trị viên thứ hai", "Waits for a second administrator";
    people_approve: "Đồng ý và thực hiện", "Agree, and make it so";
    people_decline: "Từ chối hoặc rút lại", "Decline, or take back";
    people_read_only: "Bàn điều hành này không có khóa quản trị: dùng lệnh console people.", "This console does not have the administrators' key: use the command console people.";
    wrong_person: "Hãy nhập đủ tên, phạm vi và vai trò.", "Enter name, scope and roles.";
    refused_change: "Không thay đổi được:", "It was not changed:";
    refused_own_person: "Bạn đã đề nghị việc này, hoặc việc này về chính bạn; cần một quản trị viên khác.", "You proposed this, or it is about yourself; another administrator has to agree.";
    refused_scope: "Việc này nằm ngoài phạm vi của bạn; không có gì thay đổi.", "This lies outside your scope; nothing was changed.";
    person_failed: "Thay đổi người dùng không ghi được", "Change of a user could not be written";
    done_person_changed: "Đã thay đổi và ký.", "Changed, and signed.";
    done_person_proposed: "Đã đề nghị. Một quản trị viên khác phải đồng ý.", "Proposed. Another administrator has to agree.";

    keys_title: "Khóa của API công khai", "Keys of the public API";
    api_keys_text: "Mỗi đối tác có khóa riêng. Mã khóa chỉ hiện một lần, sổ chỉ giữ mã băm.", "Each partner has keys of its own. A token is shown once; the books keep its digest alone.";
    key_for: "Dùng cho", "For";
    key_role: "Vai trò của khóa", "Role of the key";
    key_scope: "Đơn vị phát hành hoặc vận hành (chỉ với issuer, operator)", "Issuer or operator (for these two roles alone)";
    key_others: "Khóa auditor được tạo ngay. Khóa có thể chuyển tiền (issuer, operator, centre) cần một quản trị viên khác; mã khóa hiện cho người đó.", "A key of an auditor is made at once. One that may move money (issuer, operator, centre) takes another administrator, who is shown the token.";
    key_proposed: "Đề nghị khóa API", "Proposed key of the API";
    key_approve: "Đồng ý và tạo khóa", "Agree, and make the key";
    refused_own_key: "Bạn đã đề nghị khóa này; cần một quản trị viên khác.", "You proposed this key; another administrator has to make it.";
    done_key_proposed: "Đã đề nghị khóa. Một quản trị viên khác phải đồng ý.", "The key is proposed. Another administrator has to agree.";
    done_key_declined: "Đã từ chối khóa.", "The key was declined.";
    deed_key_proposed: "Đề nghị khóa API", "Key of the API proposed";
    deed_key_agreed: "Đồng ý khóa API", "Key of the API agreed to";
    deed_key_not_made: "Khóa API không tạo được", "Key of the API could not be made";
    deed_key_declined: "Từ chối khóa API", "Key of the API declined";
    key_of_person: "Tên này là của một người dùng; khóa cần tên khác.", "This is the name of a person; a key needs another one.";
    key_until: "Hết hiệu lực từ ngày (có thể để trống)", "Opens nothing from this day on (may be empty)";
    key_made: "Người tạo", "Made by";
    key_ends: "Hết hiệu lực", "Ends";
    key_revoked: "Người thu hồi", "Revoked by";
    key_opens: "còn hiệu lực", "opens";
    key_closed: "không còn hiệu lực", "opens nothing";
    key_make: "Tạo một khóa", "Make a key";
    key_revoke: "Thu hồi ngay", "Revoke";
    key_reason: "Lý do thu hồi", "Why it is revoked";
    no_keys: "Chưa có khóa nào.", "There is no key yet.";
    wrong_key: "Hãy nhập tên và vai trò của khóa; issuer và operator cần tên đơn vị.", "Enter the key's name and role; an issuer's and an operator's say whose.";
    done_key_revoked: "Đã thu hồi: từ lần hỏi tiếp theo khóa không mở được gì.", "Revoked: it opens nothing from the next request on.";

    secret_title: "Chỉ hiện một lần", "Shown once";
    secret_text: "Hãy trao cho đúng người ngay bây giờ: không ai xem lại được trang này.", "Hand it to whom it is for now: nobody can see this page again.";
    secret_back: "Đã trao, quay lại", "Handed over, go back";
}
